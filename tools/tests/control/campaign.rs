//! `diesis campaign` through a running engine, with phones that answer, are busy, or ring for ever.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    calls::Called,
    running::{EXTENSIONS, Engine},
};

const PLAN: &str = "[survey]\n\
    exten => s,1,Set(CHOICE=${NAME} ${CAMPAIGN_ATTEMPT})\n\
    exten => h,1,Set(BYE=${CHOICE}!)\n\
    [machines]\n\
    exten => s,1,Set(AMDSTATUS=${NAME})\n same => n,Set(AMDCAUSE=TOLD-1)\n\
    [long]\n\
    exten => s,1,Wait(60)\n";

fn engine(name: &str) -> Engine {
    Engine::start_as(name, "", |_, directory: &Path| {
        fs::write(directory.join("extensions.conf"), EXTENSIONS.to_owned() + PLAN).unwrap();
    })
}

/// Phones at one address. What they do is in the first digit of their number: 1 answers, 2 is busy,
/// 3 rings until it is given up, 4 refuses.
struct Phones {
    address: SocketAddr,
    /// Whom was called, in that order.
    called: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Phones {
    fn new() -> Self {
        let phone = Called::new();
        phone.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let address = phone.address();
        let (called, over) = (Arc::default(), Arc::<AtomicBool>::default());
        let thread = {
            let (called, over) = (Arc::clone(&called), Arc::clone(&over));
            thread::spawn(move || serve(&phone, &called, &over))
        };
        Self { address, called, over, thread: Some(thread) }
    }

    fn called(&self) -> Vec<String> {
        self.called.lock().unwrap().clone()
    }

    fn dial(&self) -> String {
        format!("PJSIP/anna/sip:{{number}}@{}", self.address)
    }
}

impl Drop for Phones {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn serve(phone: &Called, called: &Mutex<Vec<String>>, over: &AtomicBool) {
    let mut invites: HashMap<String, String> = HashMap::new();
    let mut buffer = [0; 4096];
    while !over.load(Ordering::Relaxed) {
        let Ok((length, from)) = phone.socket.recv_from(&mut buffer) else { continue };
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let (method, rest) = text.split_once(' ').unwrap_or_default();
        let header = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or("");
        let call = header("Call-ID:").to_owned();
        match method {
            "INVITE" => {
                let user = rest.split(['@', ' ']).next().unwrap_or_default();
                let user = user.trim_start_matches("sip:").to_owned();
                let status = match user.as_bytes()[0] {
                    b'1' => "200 OK",
                    b'2' => "486 Busy Here",
                    b'3' => "180 Ringing",
                    _ => "603 Decline",
                };
                if invites.insert(call, text.clone()).is_none() {
                    called.lock().unwrap().push(user);
                }
                phone.answer(&text, from, status);
            }
            "CANCEL" => {
                phone.answer(&text, from, "200 OK");
                phone.answer(&invites[&call], from, "487 Request Terminated");
            }
            "BYE" => phone.answer(&text, from, "200 OK"),
            _ => {}
        }
    }
}

/// A list beside the engine's files, and what a campaign says of it.
fn campaign(engine: &Engine, phones: &Phones, list: &str, words: &str) -> Output {
    fs::write(engine.directory.join("list.csv"), list).unwrap();
    run(engine, phones, words)
}

fn run(engine: &Engine, phones: &Phones, words: &str) -> Output {
    command(engine, phones, words).output().unwrap()
}

fn command(engine: &Engine, phones: &Phones, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diesis"));
    command.args(["campaign", "run"]).arg(engine.directory.join("list.csv"));
    command.args(["--dial", &phones.dial(), "--rate", "50"]).args(words.split_whitespace());
    command.arg("-C").arg(&engine.directory);
    command
}

/// The rows of the results, by the names of their columns.
fn results(engine: &Engine) -> Vec<HashMap<String, String>> {
    let text = fs::read_to_string(engine.directory.join("list.result.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let heads = lines.next().unwrap();
    lines.map(|row| heads.iter().cloned().zip(row).collect()).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn three_numbers_are_called_and_the_results_say_what_came_of_them() {
    let (engine, phones) = (engine("campaign"), Phones::new());
    let list = "number,NAME\n100,Anna\n# not 109\n201,Bob\n302,Cleo\n403,Dora\n1-00,Anna again\n";
    let words = "--context survey --keep CHOICE,BYE,NONE --timeout 1s --caller-id 555";
    let output = campaign(&engine, &phones, list, words);
    assert!(output.status.success(), "{}", said(&output));
    let mut rows = results(&engine);
    rows.sort_by_key(|row| row["called"].clone());
    let column = |name: &str| rows.iter().map(|row| &*row[name]).collect::<Vec<_>>();
    assert_eq!(column("called"), ["100", "201", "302", "403"]);
    assert_eq!(column("outcome"), ["answered", "busy", "noanswer", "rejected"]);
    assert_eq!(column("cause"), ["16", "17", "19", "21"]);
    assert_eq!(column("CHOICE"), ["Anna 1", "", "", ""]);
    assert_eq!(column("BYE"), ["Anna 1!", "", "", ""], "what is left behind the hang-up counts");
    assert!(!rows[0]["answered"].is_empty() && rows[1]["answered"].is_empty());
    let said = said(&output);
    assert!(said.contains("4 numbers, 1 more stand there twice"), "{said}");
    assert!(said.contains("4 numbers, 1 reached: 1 answered, 1 busy"), "{said}");
    assert!(!engine.directory.join("list.result.csv.begun").exists());
    // What is there is not written over.
    let again = run(&engine, &phones, words);
    assert_eq!(again.status.code(), Some(2));
    assert!(self::said(&again).contains("--resume goes on with it"), "{}", self::said(&again));
    // There is nothing left to go on with.
    let again = run(&engine, &phones, &format!("{words} --resume"));
    assert!(again.status.success(), "{}", self::said(&again));
    assert_eq!(phones.called().len(), 4);
}

/// Waits until so many were called.
fn wait_for_calls(phones: &Phones, count: usize) {
    let begun = Instant::now();
    while phones.called().len() < count {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", phones.called());
        thread::yield_now();
    }
}

fn spawn(engine: &Engine, phones: &Phones, list: &str, words: &str) -> Child {
    fs::write(engine.directory.join("list.csv"), list).unwrap();
    let mut command = command(engine, phones, words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_campaign_that_is_killed_goes_on_and_calls_nobody_twice() {
    let (engine, phones) = (engine("campaign-killed"), Phones::new());
    let list = "number\n100\n101\n102\n203\n";
    let mut child = spawn(&engine, &phones, list, "--context long --concurrency 2");
    wait_for_calls(&phones, 2);
    // A second one on the same results is refused while the first runs.
    let second = run(&engine, &phones, "--context long --resume");
    assert!(said(&second).contains("another campaign writes"), "{}", said(&second));
    child.kill().unwrap();
    child.wait().unwrap();
    let output = run(&engine, &phones, "--context survey --resume");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(phones.called(), ["100", "101", "102", "203"]);
    let rows = results(&engine);
    let outcomes: Vec<_> = rows.iter().map(|row| (&*row["called"], &*row["outcome"])).collect();
    assert_eq!(outcomes[..2], [("100", "interrupted"), ("101", "interrupted")]);
    assert!(outcomes.contains(&("102", "answered")) && outcomes.contains(&("203", "busy")));
    assert!(said(&output).contains("2 calls were made before; 2 numbers are left"));
}

#[test]
fn who_has_enough_waits_for_running_calls_or_hangs_them_up() {
    let (engine, phones) = (engine("campaign-enough"), Phones::new());
    let child = spawn(&engine, &phones, "100\n101\n102\n", "--context long --concurrency 2");
    wait_for_calls(&phones, 2);
    interrupt(&child);
    // Whether the first was seen shows in what it says; the second is for the calls.
    let mut child = child;
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let heard = out.find(|line| line.as_ref().unwrap().contains("no new calls"));
    assert!(heard.is_some());
    interrupt(&child);
    let rest: Vec<String> = out.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(rest.iter().any(|line| line.contains("1 left, which --resume calls")), "{rest:?}");
    assert_eq!(phones.called().len(), 2);
    assert!(results(&engine).iter().all(|row| row["outcome"] == "answered"));
    assert!(engine.rows("show calls").is_empty(), "they were hung up");
}

#[test]
fn calls_are_made_again_by_the_rule_of_their_outcome() {
    let (engine, phones) = (engine("campaign-again"), Phones::new());
    let list = "number,NAME\n200,\n100,MACHINE\n101,HUMAN\n400,\n";
    let words = "--context machines --retries 1 --retry-after 50ms --retry machine=2/10ms";
    let output = campaign(&engine, &phones, list, words);
    assert!(output.status.success(), "{}", said(&output));
    let mut rows = results(&engine);
    rows.sort_by_key(|row| (row["called"].clone(), row["attempt"].clone()));
    let told: Vec<_> = rows
        .iter()
        .map(|row| (&*row["called"], &*row["outcome"], &*row["amd"], row["again"].is_empty()))
        .collect();
    let expected = [
        ("100", "machine", "MACHINE", false),
        ("100", "machine", "MACHINE", false),
        ("100", "machine", "MACHINE", true),
        ("101", "human", "HUMAN", true),
        ("200", "busy", "", false),
        ("200", "busy", "", true),
        ("400", "rejected", "", true),
    ];
    assert_eq!(told, expected);
    assert!(rows[0]["amd_cause"] == "TOLD-1", "{rows:?}");
}

#[test]
fn numbers_are_normalised_excluded_and_told_before_anybody_is_called() {
    let (engine, phones) = (engine("campaign-list"), Phones::new());
    let numbering = "[general]\ncountry_prefix = 33\nexternal_prefix = 1\n";
    fs::write(engine.directory.join("numbering.conf"), numbering).unwrap();
    fs::write(engine.directory.join("never.csv"), "# asked for it\n+33 (0)2 22\n").unwrap();
    let never = engine.directory.join("never.csv");
    let list = "number,NAME\n+33 1 23,A\n0033 (0)1 23,twice\n+33 2 22,excluded\n";
    let words = format!("--context survey --numbering out --exclude {}", never.display());
    let output = campaign(&engine, &phones, list, &format!("{words} --dry-run"));
    assert!(output.status.success(), "{}", said(&output));
    let expected = format!("+33 1 23\tPJSIP/anna/sip:10123@{}\tNAME=A\n", phones.address);
    assert!(said(&output).starts_with(&expected), "{}", said(&output));
    assert!(said(&output).contains("1 numbers, 1 more stand there twice, 1 are excluded"));
    assert!(phones.called().is_empty());
    let output = campaign(&engine, &phones, list, &words);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(phones.called(), ["10123"]);
    // A list that is wrong is told of, line by line, and nobody is called.
    let wrong = campaign(&engine, &phones, "number,NAME\nhello you,A\n100\n", "--context survey");
    assert_eq!(wrong.status.code(), Some(2));
    let told = said(&wrong);
    assert!(told.contains("list.csv:2: \"hello you\" is no number: digits"), "{told}");
    assert!(told.contains("list.csv:3: 1 fields where the first line names 2"), "{told}");
    assert_eq!(phones.called().len(), 1);
}

#[test]
fn nobody_is_called_while_the_schedule_is_closed() {
    let (engine, phones) = (engine("campaign-hours"), Phones::new());
    let schedules = "[office]\ntype=schedule\nopen=9:00-9:01,*,29,feb\n";
    fs::write(engine.directory.join("schedules.conf"), schedules).unwrap();
    let mut child = spawn(&engine, &phones, "100\n", "--context survey --hours office");
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(out.next().unwrap().unwrap(), "1 numbers");
    assert!(phones.called().is_empty());
    assert!(engine.diesis("database put schedule/office open").status.success());
    assert!(child.wait().unwrap().success());
    assert_eq!(phones.called(), ["100"]);
    let absent = campaign(&engine, &phones, "100\n", "--context survey --hours ofice");
    assert_eq!(absent.status.code(), Some(2));
    assert!(said(&absent).contains("there is office"), "{}", said(&absent));
}

#[test]
fn an_engine_that_is_not_there_or_takes_no_calls_ends_it_early() {
    let (mut engine, phones) = (engine("campaign-gone"), Phones::new());
    engine.kill();
    let output = campaign(&engine, &phones, "100\n101\n", "--context survey");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("no engine"), "{}", said(&output));
    let mut engine = engine.start_again();
    let mut child = spawn(&engine, &phones, "100\n101\n102\n", "--context long --concurrency 2");
    wait_for_calls(&phones, 2);
    engine.kill();
    assert_eq!(child.wait().unwrap().code(), Some(1), "the engine is gone");
    let engine = engine.start_again();
    let output = run(&engine, &phones, "--context survey --resume");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(phones.called(), ["100", "101", "102"]);
}

/// A limit of the file's size stands for a full disk: it can be lifted from outside.
#[test]
fn what_a_full_disk_does_not_take_is_written_when_it_does() {
    let (engine, phones) = (engine("campaign-full"), Phones::new());
    let list: String = (100..120).map(|number| format!("{number}\n")).collect();
    fs::write(engine.directory.join("list.csv"), list).unwrap();
    let diesis = command(&engine, &phones, "--context survey --concurrency 3");
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -S -f 1; exec \"$@\"", "sh"]);
    limited.arg(diesis.get_program()).args(diesis.get_args());
    let mut child = limited.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let told = out.find(|line| line.contains("no new calls until it can")).expect("it says so");
    assert!(told.contains("can't be written: File too large"), "{told}");
    assert!(phones.called().len() < 20);
    let lifted = ["--pid", &child.id().to_string(), "--fsize=unlimited"];
    assert!(Command::new("prlimit").args(lifted).status().unwrap().success());
    let rest: Vec<String> = out.collect();
    assert!(child.wait().unwrap().success(), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("written again")), "{rest:?}");
    let rows = results(&engine);
    assert!(rows.iter().all(|row| row["outcome"] == "answered"), "{rows:?}");
    let called: Vec<_> = rows.iter().map(|row| row["called"].clone()).collect();
    assert_eq!(called.iter().collect::<BTreeSet<_>>().len(), 20, "{called:?}");
    assert_eq!((called.len(), phones.called().len()), (20, 20), "nobody is called twice");
}

/// The first command of the example's README says what it shows there.
#[test]
fn the_example_says_whom_it_would_call() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let diesis = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_diesis"));
        command.current_dir(&root);
        command
    };
    let checked = diesis().args(["check", "examples/campaign", "--strict"]).output().unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
    let text = fs::read_to_string(root.join("examples/campaign/README.md")).unwrap();
    let (_, shown) = text.split_once("$ diesis campaign run ").unwrap();
    let (words, shown) = shown.split_once("--dry-run\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    let words = words.replace("\\\n", " ").replace('\'', "");
    let mut campaign = diesis();
    campaign.args(["campaign", "run"]).args(words.split_whitespace()).arg("--dry-run");
    let output = campaign.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), shown, "{}", said(&output));
}
