//! What does it take to hold thousands of calls? Memory of each established call with media, and
//! how long a call takes to be answered while so many are up and thousands of phones are bound.
//!
//!   cargo bench -p diesis-benches --bench calls_held [-- CALLS [STEP [BINDINGS]]]

use std::{env, error::Error, time::Duration};

use diesis_benches::{
    EVERYBODY, Server,
    caller::Caller,
    registrant::{Registrant, phones, user},
};

/// One prompt for all, which is in memory after the first call.
const DIALPLAN: &str = "\
[bench]
exten => 1000,1,Answer()
 same => n(again),Playback(diesis-menu)
 same => n,Goto(again)
";

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = env::args().filter_map(|argument| argument.parse::<u32>().ok());
    let calls = numbers.next().unwrap_or(2000);
    let step = numbers.next().unwrap_or(500).max(1);
    let bindings = numbers.next().unwrap_or(10_000);

    let server = Server::start_with(DIALPLAN, &(EVERYBODY.to_owned() + &phones(bindings)), 1)?;
    let mut registrant = Registrant::new(server.address())?;
    for n in 0..bindings {
        registrant.register(&user(n))?;
    }
    println!("{bindings} phones are bound");
    let mut caller = Caller::new(server.address())?;
    // What the first call loads (the prompt, the pools) belongs to none of the others.
    caller.call("1000")?;
    std::thread::sleep(Duration::from_secs(1));
    let before = server.resident_kib()?;
    println!("calls   answered after ms p50/p99/max   KiB a call");
    let mut held = 1;
    while held < calls {
        let more = step.min(calls - held);
        let mut times = Vec::new();
        for _ in 0..more {
            times.push(caller.call("1000")?);
            // As many calls a second as a busy exchange has: 200.
            std::thread::sleep(Duration::from_millis(5));
        }
        held += more;
        times.sort();
        let at = |q: f64| millis(times[((times.len() - 1) as f64 * q) as usize]);
        let grown = server.resident_kib()?.saturating_sub(before);
        println!(
            "{held:5}   {:6.2} {:6.2} {:6.2}            {:8.1}",
            at(0.5),
            at(0.99),
            at(1.0),
            grown as f64 / f64::from(held - 1),
        );
    }
    // Timers of the last INVITE transaction: RFC 3261 §17.2.1, RFC 6026 §7.1.
    std::thread::sleep(Duration::from_secs(34));
    let grown = server.resident_kib()?.saturating_sub(before);
    println!(
        "{held:5}   34 s later                      {:8.1}",
        grown as f64 / f64::from(held - 1)
    );
    Ok(())
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
