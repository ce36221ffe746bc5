//! The sign of life that an idle session is asked for: each minute as long as somebody listens, and never else. Time is
//! virtual here, and so is the host.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use smb2::client::connection::Connection;
use smb2::transport::{TransportReceive, TransportSend};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, sleep};

use super::super::ear::{ECHO_EVERY, ECHO_WITHIN, echo};
use crate::probe::smb::SmbPipe;

/// `SMB2 ECHO` and `SMB2 OPLOCK_BREAK` (MS-SMB2 2.2.1.2, Command).
const ECHO: u16 = 0x0d;
const OPLOCK_BREAK: u8 = 0x12;
/// `SMB2_FLAGS_SERVER_TO_REDIR` (MS-SMB2 2.2.1.2, Flags).
const ANSWER: u8 = 0x01;

/// What comes from the host, and how it takes what is sent to it: so many echoes are answered, all others swallowed.
struct Host {
    answers: usize,
    asked: Arc<AtomicUsize>,
    says: mpsc::UnboundedSender<Vec<u8>>,
}

struct Said(Mutex<mpsc::UnboundedReceiver<Vec<u8>>>);

impl TransportSend for Host {
    fn send<'life0, 'life1, 'async_trait>(
        &'life0 self,
        data: &'life1 [u8],
    ) -> Pin<Box<dyn Future<Output = smb2::Result<()>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        assert_eq!(data[12..14], ECHO.to_le_bytes(), "only echoes are sent");
        if self.asked.fetch_add(1, Ordering::SeqCst) < self.answers {
            let mut answer = data.to_vec();
            // One credit for the next one.
            answer[14..16].copy_from_slice(&1_u16.to_le_bytes());
            answer[16] |= ANSWER;
            self.says.send(answer).expect("somebody reads");
        }
        Box::pin(async { Ok(()) })
    }
}

impl TransportReceive for Said {
    fn receive<'life0, 'async_trait>(
        &'life0 self,
    ) -> Pin<Box<dyn Future<Output = smb2::Result<Vec<u8>>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async {
            let said = self.0.lock().await.recv().await;
            said.ok_or(smb2::Error::Disconnected)
        })
    }
}

/// What a host may say unasked; its one use here is the credits that it gives, without which nothing is sent.
fn credits() -> Vec<u8> {
    let mut header = vec![0; 64];
    header[..4].copy_from_slice(b"\xfeSMB");
    header[4] = 64;
    header[12] = OPLOCK_BREAK;
    header[14] = 1;
    header[16] = ANSWER;
    header[24..32].fill(0xff);
    header
}

/// A session with a host that answers so many echoes: the task that asks for them, how many were asked for, and what says
/// that the session is over.
fn session(answers: usize) -> (JoinHandle<()>, Arc<AtomicUsize>, watch::Sender<bool>) {
    let (says, said) = mpsc::unbounded_channel();
    says.send(credits()).expect("somebody reads");
    let asked = Arc::new(AtomicUsize::new(0));
    let host = Host {
        answers,
        asked: Arc::clone(&asked),
        says,
    };
    let said = Said(Mutex::new(said));
    let connection = Connection::from_transport(Box::new(host), Box::new(said), "web-1");
    connection.set_response_timeout(None);
    connection.set_keepalive(None);
    connection.set_stale_request_warning(None);
    let over = watch::Sender::new(false);
    let task = tokio::spawn(echo(SmbPipe::over(connection), over.clone()));
    (task, asked, over)
}

#[tokio::test(start_paused = true)]
async fn a_host_that_swallows_the_echo_is_given_up_after_its_limit() {
    let begun = Instant::now();
    let (task, asked, over) = session(2);
    let mut listens = over.subscribe();
    listens.wait_for(|over| *over).await.expect("it is told");
    // Two are answered, the third is not.
    assert_eq!(begun.elapsed(), 3 * ECHO_EVERY + ECHO_WITHIN);
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    task.await.expect("it has ended");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_answers_is_asked_each_minute_for_ever() {
    let (task, asked, over) = session(usize::MAX);
    let listens = over.subscribe();
    sleep(Duration::from_hours(1) + ECHO_WITHIN).await;
    assert_eq!(asked.load(Ordering::SeqCst), 60);
    assert!(!*listens.borrow() && !task.is_finished());
    // The session ends for another reason, and with it the questions.
    over.send_replace(true);
    task.await.expect("it has ended");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_once_nobody_listens() {
    let (task, asked, over) = session(usize::MAX);
    let listens = over.subscribe();
    sleep(2 * ECHO_EVERY + ECHO_WITHIN).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    drop(listens);
    sleep(Duration::from_hours(1)).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // Who listens over the same session later has it asked again.
    let _listens = over.subscribe();
    sleep(ECHO_EVERY).await;
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert!(!task.is_finished());
}
