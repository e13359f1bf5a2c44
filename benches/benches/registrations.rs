//! What does a registration cost, and how many fit? CPU of a REGISTER with digest (challenge and
//! all), the engine's memory, and how long an answer takes while thousands are bound.
//!
//!   cargo bench -p diesis-benches --bench registrations [-- BINDINGS [ROUNDS]]

use std::{env, error::Error, time::Duration};

use diesis_benches::{
    Server,
    registrant::{Registrant, phones, user},
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = env::args().filter_map(|argument| argument.parse::<u32>().ok());
    let bindings = numbers.next().unwrap_or(10_000);
    let rounds = numbers.next().unwrap_or(5);

    let server = Server::start_with("[bench]\n", &phones(bindings), 1)?;
    let mut registrant = Registrant::new(server.address())?;
    let before = server.resident_kib()?;
    println!("registrations  bound   CPU ms each  answered after ms p50/p99/max   grown MiB");
    for round in 1..=rounds {
        let cpu = server.cpu()?;
        let mut times =
            (0..bindings).map(|n| registrant.register(&user(n))).collect::<Result<Vec<_>, _>>()?;
        let cpu = server.cpu()? - cpu;
        times.sort();
        let at = |q: f64| millis(times[((times.len() - 1) as f64 * q) as usize]);
        println!(
            "{:13}  {bindings:5}   {:11.4}  {:6.3} {:6.3} {:6.2}                {:8.1}",
            round * bindings,
            millis(cpu) / f64::from(bindings),
            at(0.5),
            at(0.99),
            at(1.0),
            server.resident_kib()?.saturating_sub(before) as f64 / 1024.0,
        );
    }
    Ok(())
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
