//! The first login of a large maildrop beside a bare pass over its directory.
//!
//! `cargo run --release -p maildrop --example cold -- [--messages N] [--rounds N] [--directory DIR]`
//!
//! Makes a Maildir of N files (100,000) with `,S=` and `,W=` in their names and takes, in turn,
//! medians of: a bare pass that reads every directory entry and looks at none; an open without a
//! state file, which includes writing one; an open with it, nothing changed; an open after one
//! delivery. The budget of the second is 1.5 times the first. Time is CPU time of the thread,
//! system calls included: all is in the page cache, and other load on the machine does not count.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use maildrop::{Maildrop, OpenOptions, StateUse};
use rustix::fs::{Mode, OFlags, RawDir};
use rustix::time::{ClockId, clock_gettime};

type Failure = Box<dyn Error>;

struct Options {
    messages: usize,
    rounds: usize,
    directory: PathBuf,
}

fn options() -> Result<Options, Failure> {
    let mut options = Options { messages: 100_000, rounds: 15, directory: std::env::temp_dir() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or(format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--messages" => options.messages = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            "--directory" => options.directory = value.into(),
            _ => return Err(format!("unknown option {argument}").into()),
        }
    }
    Ok(options)
}

fn main() -> Result<(), Failure> {
    let options = options()?;
    let directory = options.directory.join(format!("cold-{}", std::process::id()));
    let path = directory.join("Maildir");
    maildrop::create(&path)?;
    let outcome = fill(&path, options.messages).and_then(|()| measure(&path, &options));
    fs::remove_dir_all(&directory)?;
    outcome
}

fn fill(path: &Path, messages: usize) -> Result<(), Failure> {
    for n in 0..messages {
        // Several deliveries a second by several processes, as names go.
        let seconds = 1_700_000_000 + n / 3;
        let (micros, pid) = (n * 7919 % 1_000_000, 1000 + n % 50);
        let name = format!("cur/{seconds}.M{micros}P{pid}.mail.example.net,S=1234,W=1260:2,S");
        fs::write(path.join(name), "")?;
    }
    // From here on the directories' times tell of any change.
    std::thread::sleep(Duration::from_millis(3100));
    Ok(())
}

fn bare_pass(path: &Path) -> Result<usize, Failure> {
    let mut buffer = Vec::with_capacity(64 * 1024);
    let mut entries = 0;
    for place in ["new", "cur"] {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path.join(place), flags, Mode::empty())?;
        let mut pass = RawDir::new(&directory, buffer.spare_capacity_mut());
        while let Some(entry) = pass.next() {
            entries += entry?.file_name().to_bytes().len().min(1);
        }
    }
    Ok(entries)
}

fn open(path: &Path, state: StateUse, messages: usize) -> Result<Duration, Failure> {
    let start = cpu_time();
    let maildrop = Maildrop::open(path, &OpenOptions::default())?;
    let taken = cpu_time() - start;
    let report = maildrop.scan_report();
    if report.state != state || maildrop.len() != messages {
        return Err(format!("{} messages, {report:?}", maildrop.len()).into());
    }
    Ok(taken)
}

fn measure(path: &Path, options: &Options) -> Result<(), Failure> {
    let Options { messages, rounds, .. } = *options;
    let (mut bare, mut cold, mut warm, mut changed) = (vec![], vec![], vec![], vec![]);
    let state = path.join("lastpost-state");
    for _ in 0..rounds {
        let start = cpu_time();
        bare_pass(path)?;
        bare.push(cpu_time() - start);
        match fs::remove_file(&state) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        cold.push(open(path, StateUse::Missing, messages)?);
        warm.push(open(path, StateUse::Current, messages)?);
    }
    for n in 0..rounds {
        let name = format!("new/{}.M1P1.mail.example.net,S=1234,W=1260", 1_800_000_000 + n);
        fs::write(path.join(name), "")?;
        changed.push(open(path, StateUse::Stale, messages + n + 1)?);
    }
    let [bare, cold, warm, changed] = [bare, cold, warm, changed].map(median);
    let ratio = |taken: Duration| taken.as_secs_f64() / bare.as_secs_f64();
    println!("{messages} messages, median of {rounds}");
    println!("bare pass        {bare:>10.2?}");
    println!("open, cold       {cold:>10.2?}  {:.2} x (budget 1.50)", ratio(cold));
    println!("open, unchanged  {warm:>10.2?}  {:.2} x", ratio(warm));
    println!("open, one more   {changed:>10.2?}  {:.2} x", ratio(changed));
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
    seconds + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}
