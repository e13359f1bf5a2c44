//! How many priorities a second one core runs: the loop that is quoted for Asterisk as well.
//!
//!     cargo run --release -p diesis-dialplan --example loop_speed

use std::time::Instant;

use diesis_dialplan::channel::Channel;
use diesis_dialplan::conf::{self, MemoryFiles};
use diesis_dialplan::executor::{Advance, Executor};
use diesis_dialplan::host::{KeepSteps, MemoryHost};
use diesis_dialplan::plan::Plan;

#[allow(clippy::disallowed_methods, reason = "measures the wall clock")]
fn main() {
    for (title, text, steps) in [
        (
            "While, Set(x=$[${x} + 1]), EndWhile",
            "[m]\nexten => s,1,Set(x=0)\n same => n,While($[${x} < 1000000])\n same => n,Set(x=$[${x} + 1])\n same => n,EndWhile()\n",
            3_000_002u64,
        ),
        (
            "NoOp, Goto",
            "[m]\nexten => s,1,Set(x=0)\n same => n(top),NoOp(${x})\n same => n,Set(x=${INC(x)})\n same => n,GotoIf($[${x} < 1000000]?top)\n",
            3_000_001,
        ),
    ] {
        let files = MemoryFiles::new().with("extensions.conf", text);
        let conf = conf::load("extensions.conf", &files, &conf::Options::default());
        let (plan, _) = Plan::load(&conf, &Default::default());
        let mut host = MemoryHost::new(jiff::Timestamp::UNIX_EPOCH);
        host.keep_steps = KeepSteps::No;
        let mut executor = Executor::new(Channel::new("Test/1"), "m", "s", 1);
        let start = Instant::now();
        while executor.advance(&plan, &mut host) == Advance::Yielded {}
        let seconds = start.elapsed().as_secs_f64();
        println!("{title}: {:.2} million priorities a second", steps as f64 / seconds / 1e6);
    }
}
