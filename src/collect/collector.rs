//! The collector's one thread: it sleeps until a file or directory changes, somebody calls, or
//! something is due, and then does one step.

use std::{
    os::fd::{AsFd, OwnedFd},
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::Errno,
};

use super::{Error, Options, Stats, env::Now, rounds::Rounds};
use crate::ingest::Limits;
use crate::store::{Store, now_ns};

/// The kernel may let a timer of ours wait so long, to wake the processor for several at once.
const TIMER_SLACK_NS: u64 = 50_000_000;
/// What an eventfd takes: a number that is not zero, in the machine's byte order; in this one both orders agree.
const WAKE: [u8; 8] = [1; 8];
/// Even if every timer is far, the thread looks up so often.
const SLEEP_MAX: Duration = Duration::from_hours(24);

/// Follows log files and appends their lines to the store, until it is stopped or dropped.
#[derive(Debug)]
pub struct Collector {
    wake: Arc<OwnedFd>,
    calls: mpsc::SyncSender<Call>,
    published: Arc<Mutex<Published>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    failed: Arc<AtomicBool>,
}

/// What the thread lets others see.
#[derive(Debug, Default)]
struct Published {
    stats: Stats,
    summary: String,
}

/// What the thread is asked for.
enum Call {
    Reload(Box<(Options, Limits)>, mpsc::SyncSender<Result<(), Error>>),
    Stop,
}

impl Collector {
    /// Looks at the directories, so that [`Collector::summary`] can say what is followed, and starts the thread.
    ///
    /// # Errors
    /// A pattern or zone that is none, or a host without descriptors or threads to spare. No file is an error.
    pub fn start(options: Options, limits: Limits, store: Store) -> Result<Self, Error> {
        let began = Instant::now();
        let mut rounds = Rounds::new(options, limits, store, now(began))?;
        rounds.look_around(now(began));
        let published = Published { stats: rounds.stats(), summary: rounds.summary() };
        let published = Arc::new(Mutex::new(published));
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let wake = Arc::new(wake.map_err(|error| Error::Start(error.into()))?);
        let (calls, called) = mpsc::sync_channel(1);
        let worker = Worker { rounds, began, wake: Arc::clone(&wake), called, published: Arc::clone(&published) };
        let failed = Arc::<AtomicBool>::default();
        let sign = Arc::clone(&failed);
        let thread = std::thread::Builder::new().name("collect".into()).spawn(move || worker.guarded(&sign));
        Ok(Self { wake, calls, published, thread: Mutex::new(Some(thread.map_err(Error::Start)?)), failed })
    }

    /// Goes over to other options; files that are still selected are followed without a gap.
    ///
    /// # Errors
    /// A pattern or zone that is none: the present options stay.
    pub fn reload(&self, options: Options, limits: Limits) -> Result<(), Error> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.calls.send(Call::Reload(Box::new((options, limits)), answer)).map_err(|_| Error::Ended)?;
        self.wake();
        answered.recv().map_err(|_| Error::Ended)?
    }

    /// Reads once more what has grown, makes it durable, and ends the thread. A second call does nothing.
    pub fn stop(&self) {
        let Some(thread) = lock(&self.thread).take() else { return };
        let _ = self.calls.send(Call::Stop);
        self.wake();
        // A panic was caught, and said, where it happened.
        let _ = thread.join();
    }

    /// Whether the thread has ended by a mistake of the program: nothing is followed any more.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// The numbers as of the thread's last step.
    pub fn stats(&self) -> Stats {
        lock(&self.published).stats.clone()
    }

    /// What is followed, in one line: per job how many files. As of the start or the last reload.
    pub fn summary(&self) -> String {
        lock(&self.published).summary.clone()
    }

    fn wake(&self) {
        let _ = rustix::io::write(&*self.wake, &WAKE); // it fails only if it is awake already
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What the thread owns.
struct Worker {
    rounds: Rounds<Store>,
    began: Instant,
    wake: Arc<OwnedFd>,
    called: mpsc::Receiver<Call>,
    published: Arc<Mutex<Published>>,
}

impl Worker {
    /// Runs; after a panic says so and asks the process to stop. A process that goes on and reads no
    /// file would look healthy, while one that was started anew continues at the last commit.
    fn guarded(self, failed: &AtomicBool) {
        if panic::catch_unwind(AssertUnwindSafe(|| self.run())).is_err() {
            failed.store(true, Ordering::Release);
            log::error!(
                "the collector has ended by a panic; narvi stops, and continues where it was at the next start"
            );
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
        }
    }

    fn run(mut self) {
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(TIMER_SLACK_NS));
        loop {
            let wait = self.rounds.step(now(self.began));
            lock(&self.published).stats = self.rounds.stats();
            self.sleep(wait);
            match self.called.try_recv() {
                Ok(Call::Reload(options, answer)) => {
                    let (options, limits) = *options;
                    let result = self.rounds.reload(options, limits, now(self.began));
                    if result.is_ok() {
                        self.rounds.look_around(now(self.began));
                        lock(&self.published).summary = self.rounds.summary();
                    }
                    let _ = answer.send(result);
                }
                Err(mpsc::TryRecvError::Empty) => {}
                Ok(Call::Stop) | Err(mpsc::TryRecvError::Disconnected) => {
                    self.rounds.finish(now(self.began));
                    return;
                }
            }
        }
    }

    /// Waits for an event, a call, or the end of `wait`.
    fn sleep(&self, wait: Duration) {
        let timeout = Timespec::try_from(wait.min(SLEEP_MAX)).ok();
        let mut descriptors = vec![PollFd::new(&*self.wake, PollFlags::IN)];
        let sources = self.rounds.descriptors();
        descriptors.extend(sources.into_iter().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                log::error!("cannot wait for files to change: {error}; looking again in a second");
                std::thread::sleep(Duration::from_secs(1));
            }
        }
        let _ = rustix::io::read(self.wake.as_fd(), &mut [0; 8]);
    }
}

fn now(began: Instant) -> Now {
    Now { elapsed: began.elapsed(), wall_ns: now_ns() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;
    use crate::collect::{scratch::Scratch, testing::options};
    use crate::labels::Matcher;

    fn open(scratch: &Scratch) -> Store {
        Store::open(crate::store::Options::new(scratch.path("data"))).unwrap()
    }

    /// All lines of the followed file, in the order in which they were appended.
    fn stored(store: &Store) -> Vec<String> {
        let job = Matcher::text("job", true, "j");
        let mut lines = Vec::new();
        for stream in store.snapshot(&[job], i64::MIN, i64::MAX).streams {
            for piece in stream.pieces {
                let entries = piece.read().unwrap();
                lines.extend((0..entries.len()).map(|at| String::from_utf8(entries.line(at).to_vec()).unwrap()));
            }
        }
        lines
    }

    /// Waits until the store holds so many lines of followed files.
    fn wait_for(store: &Store, count: usize) {
        let job = Matcher::text("job", true, "j");
        let (_, live) = store.subscribe(&[job], i64::MIN, i64::MAX);
        while stored(store).len() < count {
            live.wait(Duration::from_mins(1)).unwrap();
        }
    }

    #[test]
    fn lines_reach_the_store_once_over_restarts() {
        let scratch = Scratch::new();
        let path = scratch.path("a.log");
        let mut expected = Vec::new();
        for run in 0..3 {
            let mut writer = fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
            let store = open(&scratch);
            writeln!(writer, "run {run}, before").unwrap();
            let options = options(&scratch, &["*.log"]);
            let collector = Collector::start(options, Limits::default(), store.clone()).unwrap();
            assert_eq!(collector.summary(), "job j follows 1 file");
            wait_for(&store, 2 * run + 1);
            writeln!(writer, "run {run}, meanwhile").unwrap();
            wait_for(&store, 2 * run + 2);
            collector.stop();
            expected.extend([format!("run {run}, before"), format!("run {run}, meanwhile")]);
            assert_eq!(stored(&store), expected);
            store.close().unwrap();
        }
    }

    #[test]
    fn a_reload_is_answered_and_a_bad_one_refused() {
        let scratch = Scratch::new();
        let store = open(&scratch);
        let options = options(&scratch, &["*.log"]);
        let collector = Collector::start(options.clone(), Limits::default(), store).unwrap();
        fs::write(scratch.path("a.txt"), "one\n").unwrap();
        let mut bad = options.clone();
        bad.jobs[0].location = Some("Nowhere/Land".into());
        let error = collector.reload(bad, Limits::default()).unwrap_err();
        assert!(error.to_string().contains("Nowhere/Land"), "{error}");
        let mut good = options;
        good.jobs[0].paths[0] = scratch.path("*.txt").to_string_lossy().into_owned();
        collector.reload(good, Limits::default()).unwrap();
        assert_eq!(collector.summary(), "job j follows 1 file");
    }
}
