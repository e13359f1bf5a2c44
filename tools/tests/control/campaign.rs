//! `diesis campaign` through a running engine, with phones that answer, are busy, or ring for ever.

use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Output},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
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
