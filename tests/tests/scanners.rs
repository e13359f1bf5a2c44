//! sipvicious against the engine: what half of the Internet's scanners are made of learns nothing.
//!
//!     cargo build --release -p diesis
//!     cargo test -p diesis-tests --features interop --test scanners -- --test-threads=1
//!
//! Needs Debian's sipvicious.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use diesis_tests::engine::Engine;
use diesis_tests::scratch::Scratch;
use diesis_tests::sip_client::SipClient;

fn engine(more: &str) -> Engine {
    let etc = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/etc");
    Engine::start_with(&etc, &[("pjsip.conf", more)])
}

/// All that one of sipvicious' tools says about the engine at an address.
fn run(tool: &str, at: SocketAddr, arguments: &[&str]) -> String {
    let (port, scratch) = (at.port().to_string(), Scratch::new(tool));
    let output = Command::new(tool)
        .args(arguments)
        .args(["-p", &port, &at.ip().to_string()])
        .env("HOME", scratch.path())
        .current_dir(scratch.path())
        .output()
        .expect("sipvicious is installed");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// A scan by each method, all at the same time.
fn at_once(scan: impl Fn(&'static str) + Sync) {
    let scan = &scan;
    thread::scope(|scope| {
        for method in METHODS {
            scope.spawn(move || scan(method));
        }
    });
}

const METHODS: [&str; 3] = ["REGISTER", "INVITE", "OPTIONS"];

/// Names of which two are there: `alice` and `bob`.
fn names() -> (Scratch, String) {
    let scratch = Scratch::new("names");
    let path = scratch.write("names", "nobody\nalice\n1000\nbob\n1001\ncarol\n");
    let path = path.to_string_lossy().into_owned();
    (scratch, path)
}

#[test]
fn svwar_finds_nobody_by_any_method() {
    let engine = engine("");
    let at = engine.address();
    let (_scratch, names) = names();
    let said = run("svwar", at, &["-d", &names]);
    assert!(said.contains("found nothing"), "{said}");
    at_once(|method| {
        let said = run("svwar", at, &["--force", "-m", method, "-d", &names]);
        assert!(said.contains("found nothing"), "{method}: {said}");
    });
    engine.stop();
}

/// svwar gives up at once; whoever looks closer sees no difference either.
#[test]
fn answers_to_names_that_are_there_and_are_not_are_the_same() {
    let engine = engine("");
    let client = SipClient::new(engine.address());
    for method in METHODS {
        let answer = |user: &str| {
            let request = client.request(method, user, "");
            let answer = request.send_for_text(Duration::from_secs(5)).expect("an answer");
            // What differs in every answer to anybody.
            let draws = |line: &&str| !line.starts_with("Call-ID:") && !line.starts_with("Via:");
            let lines = answer.lines().filter(draws).map(|line| {
                let line = line.replace(user, "USER");
                let cut =
                    line.find(";tag=").or_else(|| line.find("nonce=\"")).unwrap_or(line.len());
                let end = line[cut..].find("\",").map_or("", |end| &line[cut + end..]);
                format!("{}{end}", &line[..cut])
            });
            lines.collect::<Vec<_>>()
        };
        assert_eq!(answer("alice"), answer("nobody"), "{method}");
        assert_eq!(answer("bob"), answer("1000"), "{method}");
    }
    engine.stop();
}

#[test]
fn svcrack_is_shut_out_before_it_comes_to_the_password() {
    let account = "\n[1001](phone)\nauth=1001-auth\naors=1001\n\
         [1001-auth]\ntype=auth\nauth_type=userpass\nusername=1001\npassword=7349\n\
         [1001]\ntype=aor\nmax_contacts=1\n";
    let arguments = |range| ["-u", "1001", "-r", range, "--maximumtime=2"];
    let engine = engine(account);
    let at = engine.address();
    // It does find one that it has early.
    let said = run("svcrack", at, &arguments("7349-7350"));
    assert!(said.contains("7349") && !said.contains("found nothing"), "{said}");
    let said = run("svcrack", at, &arguments("7300-7360"));
    assert!(said.contains("found nothing"), "{said}");
    let log = engine.file("log/messages");
    let deadline = Instant::now() + Duration::from_secs(5);
    let failures = loop {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let count = text.lines().filter(|line| line.contains("sip:1001@")).count();
        if count >= 10 || Instant::now() > deadline {
            break count;
        }
        thread::yield_now();
    };
    assert!((10..=20).contains(&failures), "{failures} failures are written down");
    engine.stop();
}

#[test]
fn scanners_hear_nothing_at_all_if_set() {
    let engine = engine("\n[global]\ntype=global\ndrop_scanners=yes\n");
    let at = engine.address();
    let (_scratch, names) = names();
    at_once(|method| {
        let said = run("svwar", at, &["--force", "-m", method, "-d", &names]);
        assert!(said.contains("timed out") && said.contains("found nothing"), "{method}: {said}");
    });
    let said = run("svmap", at, &[]);
    assert!(said.contains("found nothing") && !said.contains("Diesis"), "{said}");
    engine.stop();
}
