use std::collections::VecDeque;
use std::io;
use std::sync::Mutex;

use futures_util::future::BoxFuture;
use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Answers look-ups one after the other, the last one for ever.
struct Answers(Mutex<VecDeque<IpAddr>>);

impl Lookup for Answers {
    fn lookup(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let mut answers = self.0.lock().unwrap();
        let one = if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0] };
        Box::pin(async move { Ok(vec![one]) })
    }
}

fn outside(answers: &[&str]) -> Outside {
    let answers = answers.iter().map(|address| address.parse().unwrap()).collect();
    Outside { lookup: Arc::new(Answers(Mutex::new(answers))), ca_file: None }
}

/// A receiver that answers each connection with these bytes, closes it, and counts.
async fn receiver(answer: Vec<u8>) -> (u16, tokio::sync::watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        loop {
            let (mut peer, _) = listener.accept().await.unwrap();
            tell.send_modify(|count| *count += 1);
            let mut head = [0; 4096];
            let _ = peer.read(&mut head).await;
            let _ = peer.write_all(&answer).await;
        }
    });
    (port, told)
}

async fn post(http: &Http, url: &str) -> Result<Answer, SendError> {
    http.post(&Url::parse(url).unwrap(), &[], b"{}".to_vec(), Duration::from_secs(5)).await
}

const LOCAL: Reach = Reach { loopback: true, private: false };

#[tokio::test]
async fn a_name_that_turns_to_this_machine_is_refused_at_its_second_look_up() {
    let (port, told) =
        receiver(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()).await;
    // Where loopback is permitted the receiver is reached, so that it would be reached below as well.
    let http = Http::new(&outside(&["127.0.0.1"]), LOCAL);
    assert_eq!(post(&http, &format!("http://hook.example:{port}/")).await.unwrap().status, 200);
    let http = Http::new(&outside(&["192.0.2.1", "127.0.0.1"]), Reach::default());
    for _ in 0..2 {
        let error = post(&http, &format!("http://hook.example:{port}/")).await.unwrap_err();
        assert!(error.what.contains("which is not called"), "{error}");
        assert!(error.retry);
    }
    assert_eq!(*told.borrow(), 1);
    // The same name is called, and is not once it leads elsewhere.
    let http = Http::new(&outside(&["127.0.0.1", "169.254.169.254"]), LOCAL);
    assert_eq!(post(&http, &format!("http://hook.example:{port}/")).await.unwrap().status, 200);
    let error = post(&http, &format!("http://hook.example:{port}/")).await.unwrap_err();
    assert!(error.what.contains("169.254.169.254"), "{error}");
}

#[tokio::test]
async fn one_bad_address_among_good_ones_is_enough() {
    struct Both;
    impl Lookup for Both {
        fn lookup(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            Box::pin(async {
                Ok(vec!["1.1.1.1".parse().unwrap(), "::ffff:169.254.169.254".parse().unwrap()])
            })
        }
    }
    let http = Http::new(&Outside { lookup: Arc::new(Both), ca_file: None }, Reach::default());
    let error = post(&http, "http://hook.example/").await.unwrap_err();
    assert!(error.what.contains("link-local"), "{error}");
}

#[tokio::test]
async fn addresses_in_the_url_are_checked_as_well() {
    let http = Http::new(&outside(&["1.1.1.1"]), Reach::default());
    for url in [
        "http://127.0.0.1:9/",
        "http://[::1]:9/",
        "http://[::ffff:7f00:1]:9/",
        "http://0x7f.1:9/",
        "http://2130706433:9/",
        "http://169.254.169.254/",
    ] {
        let error = post(&http, url).await.unwrap_err();
        assert!(error.what.contains("which is not called") && !error.retry, "{url}: {error}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (port, told) = receiver(
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n\r\n".to_vec(),
    )
    .await;
    let http = Http::new(&outside(&["127.0.0.1"]), LOCAL);
    let answer = post(&http, &format!("http://hook.example:{port}/")).await.unwrap();
    let error = judged(&answer).unwrap_err();
    assert_eq!((error.status, error.retry), (Some(307), false));
    assert!(error.what.contains("not followed"), "{error}");
    assert_eq!(*told.borrow(), 1);
}

#[tokio::test]
async fn a_long_answer_is_not_read_to_its_end() {
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n".to_vec();
    answer.extend(vec![b'x'; 10 << 20]);
    let (port, _told) = receiver(answer).await;
    let http = Http::new(&outside(&["127.0.0.1"]), LOCAL);
    let answer = post(&http, &format!("http://hook.example:{port}/")).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.body.len() <= LONGEST_ANSWER);
}

#[tokio::test]
async fn a_receiver_that_says_nothing_is_given_up_in_time() {
    let (port, _told) = receiver(Vec::new()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listener.local_addr().unwrap().port();
    let http = Http::new(&outside(&["127.0.0.1"]), LOCAL);
    let url = Url::parse(&format!("http://secret-canary.example:{silent}/secret-canary")).unwrap();
    let error = http.post(&url, &[], Vec::new(), Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(error, SendError { unsure: true, ..SendError::passing("no answer in time") });
    // Nor is one that hangs up, and no error tells the address.
    let url = Url::parse(&format!("http://secret-canary.example:{port}/secret-canary")).unwrap();
    let error = http.post(&url, &[], Vec::new(), Duration::from_secs(5)).await.unwrap_err();
    assert!(error.retry && error.unsure && !error.what.contains("canary"), "{error}");
    // Where nobody listens nothing was sent.
    drop(listener);
    let error = post(&http, &format!("http://hook.example:{silent}/")).await.unwrap_err();
    assert!(error.retry && !error.unsure, "{error}");
}

/// Ten past eight on a day in 2015.
const NOW: &str = "Wed, 21 Oct 2015 08:10:00 GMT";

#[rstest]
#[case::seconds(" 120 ", None, Some(120))]
#[case::a_date("Wed, 21 Oct 2015 08:12:00 GMT", None, Some(120))]
#[case::an_older_form_of_dates("Wednesday, 21-Oct-15 08:12:00 GMT", None, Some(120))]
#[case::the_oldest_form("Wed Oct 21 08:12:00 2015", None, Some(120))]
#[case::by_the_receivers_clock(
    "Thu, 22 Oct 2015 09:00:30 GMT",
    Some("Thu, 22 Oct 2015 09:00:00 GMT"),
    Some(30)
)]
#[case::a_clock_that_cannot_be_read("Wed, 21 Oct 2015 08:12:00 GMT", Some("noon"), Some(120))]
#[case::it_has_passed("Wed, 21 Oct 2015 08:00:00 GMT", None, Some(0))]
#[case::far_away("Fri, 31 Dec 9999 23:59:59 GMT", None, Some(251_956_885_799))]
#[case::no_date("Wed, 99 Oct 2015 08:12:00 GMT", None, None)]
#[case::neither("soon", None, None)]
#[case::below_zero("-5", None, None)]
#[case::nothing("", None, None)]
fn a_receiver_may_ask_for_time_in_seconds_or_by_a_date(
    #[case] asks: &str,
    #[case] date: Option<&'static str>,
    #[case] seconds: Option<u64>,
) {
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, asks.parse().unwrap());
    if let Some(date) = date {
        headers.insert(DATE, HeaderValue::from_static(date));
    }
    let now = httpdate::parse_http_date(NOW).unwrap();
    assert_eq!(asked(&headers, now), seconds.map(Duration::from_secs));
}
