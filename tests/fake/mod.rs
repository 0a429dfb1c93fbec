//! The stand-in for Claude Code, made to do what the real one cannot be made to do on demand. A test that begins with
//! `t` and a number reproduces a class of incidents that peers of Aegis had.

mod batch;
mod conversations;
mod crashes;
mod delivery;
mod hooks;
mod load;
mod memory;
mod remember;
mod startup;
mod templates;

use aegis::domain::{Receipt, ReceiptId, ReceiptState, StatusWord};

use crate::support::processes::come;
use crate::support::tasks::Driver;

/// The receipt once nothing more happens to it.
pub(crate) async fn settled(driver: &Driver, id: &str, receipt: ReceiptId) -> Receipt {
    come("the end of the receipt", async || {
        let receipts = driver.show(id).await.receipts;
        let receipt = receipts.into_iter().find(|other| other.id == receipt)?;
        receipt.state.settled().then_some(receipt)
    })
    .await
}

/// Sends a prompt; its turn ends, and the session is idle.
pub(crate) async fn taken(driver: &Driver, id: &str, text: &str) {
    let receipt = driver.send(id, text).await.unwrap();
    let receipt = settled(driver, id, receipt.id).await;
    assert_eq!(receipt.state, ReceiptState::TurnEnded, "{receipt:#?}");
    driver.until(id, StatusWord::Idle).await;
}

/// All that was said, in order.
pub(crate) async fn said(driver: &Driver, id: &str) -> Vec<String> {
    driver.messages(id, None).await.into_iter().map(|message| message.text).collect()
}
