//! A folder of its own, the binary, and what was typed.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::{
        fs::PermissionsExt,
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread::JoinHandle,
};

use idferry::{
    clock::Timestamp,
    sim::{LaneStats, Latency, SimOptions, Simulator},
    wecom::Endpoint,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// More steps than anything here takes, for waits that would otherwise never end.
const STEPS: u64 = 30_000_000;

pub(super) struct TestDir {
    folder: tempfile::TempDir,
    /// Where the user's state lies, and the ledger in it.
    state: tempfile::TempDir,
}

impl TestDir {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            state: tempfile::tempdir().unwrap(),
        }
    }

    /// With `fans.csv` of so many subjects in it, beside a simulator that answers at once.
    pub(super) fn with_simulator(subjects: usize) -> (Self, Simulator) {
        (Self::with_fans(subjects), simulator(prompt()))
    }

    /// With `fans.csv` of so many subjects in it.
    pub(super) fn with_fans(subjects: usize) -> Self {
        let dir = Self::new();
        dir.write("fans.csv", fans(0..subjects));
        dir
    }

    /// The ledger of every job in the folder but the sandbox's.
    pub(super) fn ledger(&self) -> PathBuf {
        self.state.path().join("idferry/ledger.db")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub(super) fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    }

    pub(super) fn mode(&self, name: &str) -> u32 {
        let path = self.path(name);
        let meta = std::fs::metadata(&path).unwrap_or_else(|why| panic!("{name}: {why}"));
        meta.permissions().mode() & 0o777
    }

    /// The names of its files, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// `idferry` and these words, cut at spaces, with an empty environment.
    pub(super) fn idferry(&self, line: &str) -> Invocation {
        self.program(env!("CARGO_BIN_EXE_idferry"), line.split_whitespace())
    }

    /// What `status --json` prints; null while there is no job file.
    #[track_caller]
    pub(super) fn status(&self) -> Value {
        let done = self.idferry("status --json").output();
        match done.status.code() {
            Some(2) => Value::Null,
            _ => done.exits(0).json(),
        }
    }

    /// Another program, such as a shell that starts `idferry`.
    pub(super) fn program<'a>(
        &self,
        program: &str,
        words: impl IntoIterator<Item = &'a str>,
    ) -> Invocation {
        let mut command = Command::new(program);
        command.args(words).current_dir(self.folder.path());
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).stdin(Stdio::null());
        command.env("XDG_STATE_HOME", self.state.path());
        Invocation {
            command,
            input: None,
        }
    }
}

/// A command about to be started.
pub(super) struct Invocation {
    command: Command,
    input: Option<Vec<u8>>,
}

impl Invocation {
    pub(super) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(super) fn in_folder(mut self, folder: &str) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub(super) fn arg(mut self, word: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(word);
        self
    }

    pub(super) fn args<'a>(mut self, words: impl IntoIterator<Item = &'a str>) -> Self {
        self.command.args(words);
        self
    }

    /// Asks `simulator`, with its credentials.
    pub(super) fn at(self, simulator: &Simulator) -> Self {
        self.with_credentials_of(simulator)
            .env("WECOM_BASE_URL", simulator.base_url())
    }

    /// The simulator's credentials without its address.
    pub(super) fn with_credentials_of(self, simulator: &Simulator) -> Self {
        self.env("WECOM_CORP_ID", simulator.corp_id())
            .env("WECOM_CORP_SECRET", simulator.corp_secret())
    }

    /// Asks the server at `address`, with made-up credentials.
    pub(super) fn with_server(self, base_url: &str) -> Self {
        self.env("WECOM_BASE_URL", base_url)
            .env("WECOM_CORP_ID", "ww0123456789abcdef")
            .env("WECOM_CORP_SECRET", "made-up-secret")
    }

    /// As a user whom file modes bind, if this one is root.
    pub(super) fn unprivileged(mut self) -> Self {
        if rustix::process::getuid().is_root() {
            self.command.uid(65_534).gid(65_534);
        }
        self
    }

    pub(super) fn with_stdin(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.input = Some(content.into());
        self
    }

    pub(super) fn output(self) -> Output {
        self.start().done_by_ref()
    }

    /// Runs it to its end, which must be this exit code.
    #[track_caller]
    pub(super) fn exits(self, code: i32) -> Output {
        self.output().exits(code)
    }

    /// Starts it at `simulator` and waits until it has made so many lookups.
    pub(super) fn started(self, simulator: &Simulator, calls: u64) -> Running {
        let mut run = self.at(simulator).start();
        run.until("enough calls", || lookups(simulator).calls >= calls);
        run
    }

    pub(super) fn start(mut self) -> Running {
        if self.input.is_some() {
            self.command.stdin(Stdio::piped());
        }
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        if let (Some(input), Some(mut stdin)) = (self.input, child.stdin.take()) {
            // The process may stop reading.
            std::thread::spawn(move || stdin.write_all(&input));
        }
        let mut stdout = child.stdout.take().unwrap();
        let out = std::thread::spawn(move || {
            let mut out = Vec::new();
            let _ = stdout.read_to_end(&mut out);
            String::from_utf8_lossy(&out).into_owned()
        });
        let lines = lines_of(child.stderr.take().unwrap());
        Running {
            child,
            out: Some(out),
            lines,
            err: String::new(),
        }
    }

    /// For what the rest does not provide.
    pub(super) fn command(self) -> Command {
        self.command
    }
}

fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if send.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// A process at work. Killed when dropped.
pub(super) struct Running {
    child: Child,
    out: Option<JoinHandle<String>>,
    lines: Receiver<String>,
    err: String,
}

impl Running {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Blocks until it says a line with `part` in it on standard error.
    pub(super) fn says(&mut self, part: &str) -> String {
        while let Ok(line) = self.lines.recv() {
            self.err += &line;
            self.err.push('\n');
            if line.contains(part) {
                return line;
            }
        }
        panic!("it ended without saying '{part}':\n{}", self.err);
    }

    /// Waits until `holds`; it must not end before.
    pub(super) fn until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        for _ in 0..STEPS {
            if holds() {
                return;
            }
            if self.child.try_wait().unwrap().is_some() {
                let err: Vec<_> = self.lines.iter().collect();
                panic!("it ended before {what}:\n{}{}", self.err, err.join("\n"));
            }
            std::thread::yield_now();
        }
        panic!("never: {what}");
    }

    pub(super) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// The same signal again and again, until it ends.
    pub(super) fn insists(mut self, signal: Signal) -> Output {
        for _ in 0..STEPS {
            if self.child.try_wait().unwrap().is_some() {
                return self.done_by_ref();
            }
            self.signal(signal);
            std::thread::yield_now();
        }
        panic!("it does not end");
    }

    /// SIGKILL, and its end.
    pub(super) fn kill(mut self) -> Output {
        self.child.kill().unwrap();
        self.done_by_ref()
    }

    /// Waits for its end, which must be this exit code.
    #[track_caller]
    pub(super) fn exits(mut self, code: i32) -> Output {
        self.done_by_ref().exits(code)
    }

    fn done_by_ref(&mut self) -> Output {
        let status = self.child.wait().unwrap();
        for line in self.lines.iter() {
            self.err += &line;
            self.err.push('\n');
        }
        let out = self.out.take().map(|out| out.join().unwrap());
        let done = Output {
            status,
            out: out.unwrap_or_default(),
            err: std::mem::take(&mut self.err),
        };
        assert!(!done.err.contains("panicked"), "{}", done.err);
        done
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that has ended.
pub(super) struct Output {
    status: ExitStatus,
    pub(super) out: String,
    pub(super) err: String,
}

impl Output {
    /// That it exited with `code`.
    #[track_caller]
    pub(super) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.status.code(),
            Some(code),
            "{}\n{}{}",
            self.status,
            self.err,
            self.out
        );
        self
    }

    pub(super) fn succeeded(&self) -> bool {
        self.status.success()
    }

    #[track_caller]
    pub(super) fn says(self, part: &str) -> Self {
        assert!(self.err.contains(part), "no '{part}' in:\n{}", self.err);
        self
    }

    /// That nothing was written to standard output.
    #[track_caller]
    pub(super) fn prints_nothing(self) -> Self {
        assert_eq!(self.out, "");
        self
    }

    /// That standard output has `part`, wherever its lines are folded.
    #[track_caller]
    pub(super) fn prints(self, part: &str) -> Self {
        let out: Vec<_> = self.out.split_whitespace().collect();
        assert!(
            out.join(" ").contains(part),
            "no '{part}' in:\n{}",
            self.out
        );
        self
    }

    /// Standard output, which must be one JSON value.
    #[track_caller]
    pub(super) fn json(self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {}", self.out))
    }

    #[track_caller]
    pub(super) fn was_killed(self) -> Self {
        assert_eq!(self.status.signal(), Some(9), "{}", self.err);
        self
    }
}

/// Made-up ids of the length that real ones have.
pub(super) fn ids(number: usize) -> (String, String) {
    (format!("oUnion{number:022}"), format!("oOpen{number:023}"))
}

/// An input of these subjects.
pub(super) fn fans(numbers: impl IntoIterator<Item = usize>) -> String {
    let mut csv = "unionid,openid\n".to_owned();
    for (unionid, openid) in numbers.into_iter().map(ids) {
        csv += &format!("{unionid},{openid}\n");
    }
    csv
}

/// `text`, packed.
pub(super) fn gzip(text: &str) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

/// A simulator on a thread of this process.
pub(super) fn simulator(options: SimOptions) -> Simulator {
    Simulator::start(([127, 0, 0, 1], 0).into(), options).unwrap()
}

/// It answers at once and never misbehaves.
pub(super) fn prompt() -> SimOptions {
    SimOptions {
        latency: Latency::NONE,
        ..SimOptions::default()
    }
}

/// It refuses this share of all people.
pub(super) fn rejecting(rejected: f64) -> SimOptions {
    let mut options = prompt();
    options.world.rejected = rejected;
    options
}

/// It takes 5 to 10 ms, so that a run can be met on its way.
pub(super) fn unhurried() -> SimOptions {
    let millis = std::time::Duration::from_millis;
    SimOptions {
        latency: Latency {
            min: millis(5),
            max: millis(10),
        },
        ..SimOptions::default()
    }
}

/// The lane of lookups, as the simulator saw it; empty before the first.
pub(super) fn lookups(simulator: &Simulator) -> LaneStats {
    let lanes = simulator.stats().lanes;
    lanes
        .get(Endpoint::LOOKUP.path)
        .cloned()
        .unwrap_or_default()
}

/// What the results must be, without `resolved_at`, when `world` is asked about `subjects`.
pub(super) fn expected<'a>(
    world: &idferry::sim::World,
    subjects: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut csv = "unionid,openid,corpid,external_userid,pending_id,state,errcode\n".to_owned();
    for (unionid, openid) in subjects {
        let person = world.person(unionid);
        let link = |place: usize| {
            let id = world.external_userid(person, place);
            format!("{},{}", world.corps()[place].corpid, id.as_str())
        };
        // In the order of the corpids: that of the replies may change.
        let mut links: Vec<_> = world
            .corps_of(person, Timestamp::default())
            .map(link)
            .collect();
        links.sort();
        if links.is_empty() {
            csv += &format!("{unionid},{openid},,,,unlinked,0\n");
        }
        for link in links {
            csv += &format!("{unionid},{openid},{link},,linked,0\n");
        }
    }
    csv
}

pub(super) fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("sample_data")
        .join(name)
}
