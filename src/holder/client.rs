//! Talking to a holder: many calls at once over one connection, and events as they come.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::domain::Session;
use crate::wire::{
    Call, FrameError, Hello, Outcome, PROTOCOL, Push, Refusal, Reply, Request, decode, read_frame, socket,
    write_frame,
};

/// How long a holder may take to answer what it answers at once. It takes under a millisecond; longer means that
/// it is stopped or starved.
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(4);

/// How long before the caller gives up a call must have begun: so that what a holder begins is told.
const BEGINS_BEFORE: Duration = Duration::from_millis(500);

/// How often a holder is asked for a sign of life while its answer is waited for longer than [`ANSWERS_WITHIN`].
const PULSE: Duration = Duration::from_secs(1);

/// For how long a holder's word about its session stands without another sign of life: one that is stopped must not
/// look alive for longer.
const TOLD_FOR: Duration = Duration::from_secs(1);

/// How many pushes may wait here before the holder is told to wait.
const PUSHES: usize = 1024;

/// Why a holder gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum HolderError {
    /// Nobody listens there: the holder is gone, or not yet there.
    #[error("the holder cannot be reached: {0}")]
    Unreachable(#[source] std::io::Error),
    /// It does not answer in time: stopped, or starved. It is not declared dead for that.
    #[error("the holder did not answer within {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// The connection ended before the answer.
    #[error("the holder closed the connection")]
    Gone,
    /// It refused.
    #[error("{0}")]
    Refused(Refusal),
    /// It answered something else.
    #[error("the holder's answer cannot be read: {0}")]
    Unreadable(String),
}

type Pending = Arc<Mutex<HashMap<u64, oneshot::Sender<Outcome>>>>;

/// A connection to a holder. Clones share it; it closes with the last.
#[derive(Clone)]
pub struct HolderClient {
    shared: Arc<Shared>,
}

struct Shared {
    calls: mpsc::Sender<Call>,
    pending: Pending,
    next: AtomicU64,
    /// How often the holder said that the session had changed since it was told.
    changes: Arc<AtomicU64>,
    told: Mutex<Option<Told>>,
    tasks: [JoinHandle<()>; 2],
}

/// The session as it was told.
struct Told {
    session: Arc<Session>,
    /// When it was asked for.
    at: Instant,
    /// The changes that had been told before it was asked for.
    changes: u64,
}

impl Drop for Shared {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl HolderClient {
    /// Connects to the holder that listens at `path`, within so long. Pushes arrive at the receiver, which ends with the connection.
    ///
    /// # Errors
    ///
    /// [`HolderError::Unreachable`], [`HolderError::Silent`], [`HolderError::Gone`].
    pub async fn connect(path: &Path, within: Duration) -> Result<(Self, mpsc::Receiver<Push>), HolderError> {
        let stream = socket::connect(path).await.map_err(HolderError::Unreachable)?;
        // Each task owns a share of the stream, which closes when both have ended.
        let stream = Arc::new(stream);
        let hello = Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            session_id: None,
            epoch: None,
        };
        let greeting = async {
            write_frame(&mut &*stream, &hello).await?;
            decode::<Hello>(&read_frame(&mut &*stream).await?)
        };
        match tokio::time::timeout(within, greeting).await {
            Ok(Ok(_peer)) => {}
            Ok(Err(FrameError::Io(error))) => return Err(HolderError::Unreachable(error)),
            Ok(Err(_)) => return Err(HolderError::Gone),
            Err(_) => return Err(HolderError::Silent(within)),
        }
        let (calls, mut to_write) = mpsc::channel::<Call>(64);
        let (push, pushes) = mpsc::channel(PUSHES);
        let pending: Pending = Arc::default();
        let answers = pending.clone();
        let changes: Arc<AtomicU64> = Arc::default();
        let changed = changes.clone();
        let writer = stream.clone();
        let writing = tokio::spawn(async move {
            let mut writer = &*writer;
            while let Some(call) = to_write.recv().await {
                if write_frame(&mut writer, &call).await.is_err() {
                    return;
                }
            }
        });
        let reading = tokio::spawn(async move {
            let mut reader = &*stream;
            while let Ok(body) = read_frame(&mut reader).await {
                if let Ok(reply) = decode::<Reply>(&body) {
                    if let Some(waiting) = lock(&answers).remove(&reply.call) {
                        let _ = waiting.send(reply.outcome);
                    }
                } else if let Ok(pushed) = decode::<Push>(&body) {
                    if pushed == Push::Changed {
                        changed.fetch_add(1, Ordering::Release);
                        continue;
                    }
                    // Nobody may want pushes; answers must still be read.
                    let _ = push.send(pushed).await;
                }
            }
            lock(&answers).clear();
        });
        let shared = Shared {
            calls,
            pending,
            next: AtomicU64::new(1),
            changes,
            told: Mutex::default(),
            tasks: [writing, reading],
        };
        Ok((Self { shared: Arc::new(shared) }, pushes))
    }

    /// Asks, and waits for the answer at most so long; no longer than [`ANSWERS_WITHIN`] if the holder shows no sign
    /// of life meanwhile.
    ///
    /// # Errors
    ///
    /// Any [`HolderError`]. After [`HolderError::Silent`] the holder does not begin what was asked any more.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        request: Request,
        within: Duration,
    ) -> Result<T, HolderError> {
        let answer = self.exchange(request, within);
        let value = if within > ANSWERS_WITHIN {
            tokio::select! {
                answer = answer => answer?,
                () = self.falls_silent() => return Err(HolderError::Silent(ANSWERS_WITHIN)),
            }
        } else {
            answer.await?
        };
        serde_json::from_str(value.get()).map_err(|error| HolderError::Unreadable(error.to_string()))
    }

    /// Asks for the session alone.
    ///
    /// # Errors
    ///
    /// As [`HolderClient::ask`].
    pub async fn session(&self, within: Duration) -> Result<Session, HolderError> {
        let (at, changes) = (Instant::now(), self.shared.changes.load(Ordering::Acquire));
        let session: Session = self.ask(Request::Session, within).await?;
        // If a change is told between the answer and here, the count shows it.
        *lock(&self.shared.told) = Some(Told { session: Arc::new(session.clone()), at, changes });
        Ok(session)
    }

    /// The session as it was last asked for, if that was within `TOLD_FOR` and the holder has not said since that it
    /// changed. What came over another connection may be newer by a moment.
    #[must_use]
    pub fn told_session(&self) -> Option<Arc<Session>> {
        let changes = self.shared.changes.load(Ordering::Acquire);
        let told = lock(&self.shared.told);
        let current = told.as_ref().filter(|told| told.changes == changes && told.at.elapsed() < TOLD_FOR);
        current.filter(|_| !self.is_closed()).map(|told| told.session.clone())
    }

    /// Waits until the holder shows no sign of life. One of an older version refuses the question, which is one.
    async fn falls_silent(&self) {
        loop {
            tokio::time::sleep(PULSE).await;
            let pulse = self.exchange(Request::Ping, ANSWERS_WITHIN - PULSE).await;
            if matches!(pulse, Err(HolderError::Silent(_))) {
                return;
            }
        }
    }

    async fn exchange(&self, request: Request, within: Duration) -> Result<Box<RawValue>, HolderError> {
        let until = Some(monotonic_ms() + millis(within.min(ANSWERS_WITHIN).saturating_sub(BEGINS_BEFORE)));
        let call = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let (answer, waiting) = oneshot::channel();
        lock(&self.shared.pending).insert(call, answer);
        let asked = async {
            self.shared.calls.send(Call { call, until, request }).await.map_err(|_| HolderError::Gone)?;
            // The reading task ends first when the connection does.
            if self.shared.tasks[1].is_finished() {
                return Err(HolderError::Gone);
            }
            waiting.await.map_err(|_| HolderError::Gone)
        };
        let outcome = tokio::time::timeout(within, asked).await;
        lock(&self.shared.pending).remove(&call);
        match outcome {
            Err(_) => Err(HolderError::Silent(within)),
            Ok(Err(error)) => Err(error),
            Ok(Ok(Outcome::Failed(refusal))) => Err(HolderError::Refused(refusal)),
            Ok(Ok(Outcome::Done(value))) => Ok(value),
        }
    }

    /// Tells the holder something that has no answer.
    ///
    /// # Errors
    ///
    /// [`HolderError::Gone`].
    pub async fn tell(&self, request: Request) -> Result<(), HolderError> {
        let call = self.shared.next.fetch_add(1, Ordering::Relaxed);
        self.shared.calls.send(Call { call, until: None, request }).await.map_err(|_| HolderError::Gone)
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.tasks[1].is_finished()
    }
}

/// Milliseconds of the clock that all processes of the machine share and nobody sets.
pub(super) fn monotonic_ms() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let millis = now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000);
    u64::try_from(millis).unwrap_or_default()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
