//! LOCK(), TRYLOCK(), UNLOCK(): named locks between channels.
//!
//! A channel that needs a lock that another holds waits up to three seconds, as in Asterisk: the step is tried
//! again from its beginning, see `executor/run.rs`. How that differs: docs/decisions/0003-locks.md.

use std::time::Duration;

use super::{Reading, wrong};
use crate::scope::Scope;
use crate::state::{Locking, Running};
use crate::world::Lock;

/// `1` when the channel has the lock, `0` when it could not get it in time.
pub(super) fn lock(scope: &mut Scope<'_>, name: &[u8], out: &mut Vec<u8>) -> Reading {
    let has_it = take(scope, name)?;
    if !has_it && scope.state.running == Running::Yes && !scope.state.is_hung_up {
        let now = scope.host.monotonic();
        match scope.state.locking {
            Locking::None => scope.state.locking = Locking::Wanted { until: now + PATIENCE },
            Locking::Again { until } if now < until => {
                scope.state.locking = Locking::Wanted { until };
            }
            Locking::Again { .. } | Locking::Wanted { .. } => {}
        }
    }
    out.push(b'0' + u8::from(has_it));
    Ok(())
}

/// As LOCK, without waiting.
pub(super) fn try_lock(scope: &mut Scope<'_>, name: &[u8], out: &mut Vec<u8>) -> Reading {
    let has_it = take(scope, name)?;
    out.push(b'0' + u8::from(has_it));
    Ok(())
}

/// Gives a lock back: `1` when the channel had it.
pub(super) fn unlock(scope: &mut Scope<'_>, name: &[u8], out: &mut Vec<u8>) -> Reading {
    let channel = &scope.state.channel.name;
    let locks = &mut scope.host.world_mut().locks;
    let at = locks.iter().position(|lock| *lock.name == name && lock.channel == *channel);
    out.push(b'0' + u8::from(at.is_some()));
    if let Some(at) = at {
        locks[at].depth -= 1;
        if locks[at].depth == 0 {
            locks.swap_remove(at);
        }
    }
    Ok(())
}

fn take(scope: &mut Scope<'_>, name: &[u8]) -> Result<bool, crate::host::FunctionError> {
    if name.is_empty() {
        return wrong("requires the name of a lock");
    }
    let channel = scope.state.channel.name.clone();
    let held = scope.host.world().locks.iter().position(|lock| *lock.name == name);
    let Some(at) = held else {
        if scope.host.world().locks.len() >= MOST_LOCKS {
            return wrong("too many locks");
        }
        let lock = Lock { name: name.into(), channel, depth: 1 };
        scope.host.world_mut().locks.push(lock);
        return Ok(true);
    };
    let lock = &mut scope.host.world_mut().locks[at];
    if lock.channel == channel {
        lock.depth += 1;
        return Ok(true);
    }
    Ok(false)
}

/// How long a channel waits for a lock.
const PATIENCE: Duration = Duration::from_secs(3);

/// Locks held at a time.
const MOST_LOCKS: usize = 1_000;

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::channel::Channel;
    use crate::executor::{Advance, Executor};
    use crate::host::MemoryHost;
    use crate::operation::{Operation, Outcome};
    use crate::plan::Plan;

    use super::*;

    fn plan(text: &str) -> Plan {
        let files = crate::conf::MemoryFiles::new().with("extensions.conf", text);
        let conf = crate::conf::load("extensions.conf", &files, &crate::conf::Options::default());
        Plan::load(&conf, &crate::plan::LoadOptions::default()).0
    }

    #[test]
    fn a_lock_that_another_channel_holds_is_waited_for() {
        let plan = plan(
            "[a]\nexten => s,1,Set(got=${LOCK(x)})\n same => n,Wait(1)\n same => n,Set(back=${UNLOCK(x)})\n",
        );
        let mut host = MemoryHost::new(Timestamp::UNIX_EPOCH);
        let mut first = Executor::new(Channel::new("Test/1"), "a", "s", 1);
        let mut second = Executor::new(Channel::new("Test/2"), "a", "s", 1);
        let wait = |duration| Advance::Operation(Operation::Wait { duration });
        assert_eq!(first.advance(&plan, &mut host), wait(Duration::from_secs(1)));
        let again = second.advance(&plan, &mut host);
        assert_eq!(again, wait(Duration::from_millis(20)));
        first.handle_outcome(Outcome::Done);
        assert_eq!(first.advance(&plan, &mut host), Advance::Finished { cause: 0 });
        assert_eq!(first.variable(b"back"), Some("1".into()));
        second.handle_outcome(Outcome::Done);
        assert_eq!(second.advance(&plan, &mut host), wait(Duration::from_secs(1)));
        assert_eq!(second.variable(b"got"), Some("1".into()));
        // A call that ends gives its locks back.
        second.handle_hangup(16);
        assert_eq!(second.advance(&plan, &mut host), Advance::Finished { cause: 0 });
        assert!(host.world.locks.is_empty());
    }

    #[test]
    fn patience_ends_after_three_seconds() {
        let plan = plan("[a]\nexten => s,1,Set(got=${LOCK(x)})\n same => n,Wait(9)\n");
        let mut host = MemoryHost::new(Timestamp::UNIX_EPOCH);
        host.world.locks.push(Lock { name: "x".into(), channel: "Test/9".into(), depth: 1 });
        let mut executor = Executor::new(Channel::new("Test/1"), "a", "s", 1);
        let mut waited = Duration::ZERO;
        loop {
            let Advance::Operation(Operation::Wait { duration }) =
                executor.advance(&plan, &mut host)
            else {
                panic!("nothing but waits")
            };
            if duration == Duration::from_secs(9) {
                break;
            }
            waited += duration;
            host.elapsed += duration;
            executor.handle_outcome(Outcome::Done);
        }
        assert_eq!(waited, Duration::from_secs(3));
        assert_eq!(executor.variable(b"got"), Some("0".into()));
    }
}
