//! Which robots are occupied: the pools, their lines, and who gets one.
//!
//! An incoming call occupies the robot it came to, or the next free one of the range, or of the pool; a
//! call that an application makes takes the one that has been idle for longest. What is occupied is
//! held as a [`Robot`], which is given back once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bstr::{BStr, BString, ByteSlice};

use crate::config::{RobotRange, WhenBusy};

/// The robots there are, and how each stands.
#[derive(Debug, Default)]
pub(in super::super) struct Pools {
    /// By their ids, which ascend in the order in which they were configured.
    lines: BTreeMap<u64, Line>,
    /// The same that are in the configuration, by section and number.
    names: HashMap<(BString, BString), u64>,
    /// All numbers.
    numbers: HashSet<BString>,
    pools: BTreeMap<BString, Pool>,
    /// Given to the next robot.
    next: u64,
    /// Calls that got a robot so far: what tells who has been idle for longest.
    turn: u64,
}

/// A robot that a call occupies. It is neither copied nor thrown away: [`Pools::release`] takes it.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a robot that is not released is busy for ever"]
pub(in super::super) struct Robot {
    id: u64,
    /// Its number.
    pub(in super::super) number: BString,
    /// Its range: the section of `robots.conf`, and the peer.
    pub(in super::super) range: BString,
    /// The pool that it is of.
    pub(in super::super) pool: BString,
}

/// Why there is no robot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in super::super) enum NoRobot {
    /// No range names this application.
    #[error("robots.conf has no range of this application")]
    NoPool,
    /// Each has as many calls as it may have.
    #[error("all robots are busy")]
    Busy,
    /// Some are free, and none of them is registered.
    #[error("no free robot is registered")]
    Unregistered,
}

/// How a robot stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RobotView {
    /// The application that it works for.
    pub pool: BString,
    /// Calls that it may have at a time.
    pub lines: u32,
    /// Calls that it has now.
    pub used: u32,
    /// Calls that it had so far, those of now included.
    pub calls: u64,
    /// Calls for it that were refused because all that they could have had were busy.
    pub refused: u64,
    /// For whom the last one was; empty when nothing said.
    pub last_user: BString,
}

/// How a pool stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolView {
    /// The application.
    pub pool: BString,
    /// Its robots.
    pub robots: usize,
    /// Those of them that are registered.
    pub registered: usize,
    /// Calls that they can have at a time.
    pub lines: u64,
    /// Calls that they have now.
    pub used: u64,
    /// Calls that they had so far, those of now included.
    pub calls: u64,
    /// Calls that were refused because all were busy, or none registered.
    pub refused: u64,
}

impl PoolView {
    /// Which part of its lines is in use, in hundredths.
    pub fn load(&self) -> u64 {
        (self.used * 100).checked_div(self.lines).unwrap_or(0)
    }
}

#[derive(Debug)]
struct Line {
    number: BString,
    range: BString,
    pool: BString,
    /// Calls that it may have; 0 once it is out of the configuration.
    lines: u32,
    when_busy: WhenBusy,
    used: u32,
    calls: u64,
    refused: u64,
    /// When it last got a call.
    turn: u64,
    last_user: BString,
}

#[derive(Debug, Default)]
struct Pool {
    /// Those with a line free: who has the fewest calls first, and of them who got its last call
    /// longest ago.
    free: BTreeSet<(u32, u64, u64)>,
    robots: usize,
    lines: u64,
    used: u64,
    calls: u64,
    refused: u64,
}

impl Line {
    fn rank(&self, id: u64) -> (u32, u64, u64) {
        (self.used, self.turn, id)
    }

    fn is_free(&self) -> bool {
        self.used < self.lines
    }
}

impl Pool {
    fn view(&self, name: &BStr) -> PoolView {
        PoolView {
            pool: name.into(),
            robots: self.robots,
            registered: 0,
            lines: self.lines,
            used: self.used,
            calls: self.calls,
            refused: self.refused,
        }
    }
}

impl Pools {
    /// Makes these the ranges there are. Robots that stay keep their calls and counts; those that go
    /// are forgotten when their last call has ended.
    pub(in super::super) fn set_ranges<'a>(
        &mut self,
        ranges: impl Iterator<Item = &'a RobotRange>,
    ) {
        // One that went and comes back may still have its call.
        let name = |line: &Line| (line.range.clone(), line.number.clone());
        let mut left: HashMap<_, _> = self.lines.iter().map(|(&id, it)| (name(it), id)).collect();
        self.names.clear();
        for line in self.lines.values_mut() {
            line.lines = 0;
        }
        for range in ranges {
            for number in &range.numbers {
                let name = (range.section.clone(), number.clone());
                let id = left.remove(&name).unwrap_or_else(|| {
                    self.next += 1;
                    self.next
                });
                let line = self.lines.entry(id).or_insert_with(|| Line {
                    number: number.clone(),
                    range: range.section.clone(),
                    pool: BString::default(),
                    lines: 0,
                    when_busy: range.when_busy,
                    used: 0,
                    calls: 0,
                    refused: 0,
                    turn: 0,
                    last_user: BString::default(),
                });
                line.pool = range.pool.clone();
                line.lines = range.lines;
                line.when_busy = range.when_busy;
                self.names.insert(name, id);
            }
        }
        self.numbers = self.names.keys().map(|(_, number)| number.clone()).collect();
        self.lines.retain(|_, line| line.lines > 0 || line.used > 0);
        let mut pools: BTreeMap<BString, Pool> = BTreeMap::new();
        for (&id, line) in &self.lines {
            if line.lines == 0 {
                continue;
            }
            let pool = pools.entry(line.pool.clone()).or_default();
            pool.robots += 1;
            pool.lines += u64::from(line.lines);
            pool.used += u64::from(line.used);
            if line.is_free() {
                pool.free.insert(line.rank(id));
            }
        }
        for (name, pool) in &mut pools {
            if let Some(old) = self.pools.get(name) {
                (pool.calls, pool.refused) = (old.calls, old.refused);
            }
        }
        self.pools = pools;
    }

    /// Gives a call the robot it came to; where that is busy another one of its range, or one of the
    /// pool's other ranges that `is_registered` says can be used.
    ///
    /// # Errors
    /// When all that it could have are busy; that is counted.
    pub(in super::super) fn occupy(
        &mut self,
        range: &BStr,
        number: &BStr,
        user: &BStr,
        is_registered: impl Fn(&BStr, &BStr) -> bool,
    ) -> Result<Robot, NoRobot> {
        let name = (BString::from(range), BString::from(number));
        let asked = *self.names.get(&name).ok_or(NoRobot::NoPool)?;
        let line = self.lines.get(&asked).ok_or(NoRobot::NoPool)?;
        let found = match line.is_free() {
            true => Some(asked),
            false => match line.when_busy {
                WhenBusy::Refuse => None,
                WhenBusy::Range => self.next_of_range(asked),
                WhenBusy::Next => self
                    .next_of_range(asked)
                    .or_else(|| self.next_of_other_ranges(asked, is_registered)),
            },
        };
        if let Some(id) = found {
            return Ok(self.use_line(id, user));
        }
        if let Some(line) = self.lines.get_mut(&asked) {
            line.refused += 1;
            if let Some(pool) = self.pools.get_mut(&line.pool) {
                pool.refused += 1;
            }
        }
        Err(NoRobot::Busy)
    }

    /// Gives a call of an application the robot of its pool that has been idle for longest, of those
    /// that `is_registered` says can be used.
    ///
    /// # Errors
    /// When there is none; that is counted.
    pub(in super::super) fn take(
        &mut self,
        pool: &BStr,
        user: &BStr,
        is_registered: impl Fn(&BStr, &BStr) -> bool,
    ) -> Result<Robot, NoRobot> {
        let pool = BString::from(pool.to_ascii_lowercase());
        let found = self.pools.get(&pool).ok_or(NoRobot::NoPool)?;
        let usable = |id: &u64| {
            let line = self.lines.get(id);
            line.is_some_and(|line| is_registered(line.range.as_ref(), line.number.as_ref()))
        };
        let is_full = found.free.is_empty();
        if let Some(id) = found.free.iter().map(|&(_, _, id)| id).find(usable) {
            return Ok(self.use_line(id, user));
        }
        if let Some(pool) = self.pools.get_mut(&pool) {
            pool.refused += 1;
        }
        Err(if is_full { NoRobot::Busy } else { NoRobot::Unregistered })
    }

    /// The call is over.
    pub(in super::super) fn release(&mut self, robot: Robot) {
        let Some(line) = self.lines.get_mut(&robot.id) else { return };
        let rank = line.rank(robot.id);
        line.used = line.used.saturating_sub(1);
        if line.lines == 0 {
            if line.used == 0 {
                self.lines.remove(&robot.id);
            }
            return;
        }
        let Some(pool) = self.pools.get_mut(&line.pool) else { return };
        pool.used = pool.used.saturating_sub(1);
        pool.free.remove(&rank);
        if line.is_free() {
            pool.free.insert(line.rank(robot.id));
        }
    }

    /// Whether some range has this number.
    pub(in super::super) fn has(&self, number: &BStr) -> bool {
        self.numbers.contains(number)
    }

    /// How a robot stands.
    pub(in super::super) fn view(&self, range: &BStr, number: &BStr) -> Option<RobotView> {
        let id = self.names.get(&(BString::from(range), BString::from(number)))?;
        let line = self.lines.get(id)?;
        Some(RobotView {
            pool: line.pool.clone(),
            lines: line.lines,
            used: line.used,
            calls: line.calls,
            refused: line.refused,
            last_user: line.last_user.clone(),
        })
    }

    /// How all pools stand, by name. `is_registered` tells of a robot's range and number.
    pub(in super::super) fn view_pools(
        &self,
        is_registered: impl Fn(&BStr, &BStr) -> bool,
    ) -> Vec<PoolView> {
        let mut registered: HashMap<&BStr, usize> = HashMap::new();
        for line in self.lines.values().filter(|line| line.lines > 0) {
            let is_registered = is_registered(line.range.as_ref(), line.number.as_ref());
            *registered.entry(line.pool.as_ref()).or_default() += usize::from(is_registered);
        }
        let view = |(name, pool): (&BString, &Pool)| PoolView {
            registered: registered.get(name.as_bstr()).copied().unwrap_or_default(),
            ..pool.view(name.as_ref())
        };
        self.pools.iter().map(view).collect()
    }

    /// How one stands, but for how many are registered.
    pub(in super::super) fn view_pool(&self, name: &BStr) -> Option<PoolView> {
        let name = BString::from(name.to_ascii_lowercase());
        Some(self.pools.get(&name)?.view(name.as_ref()))
    }

    /// The first free robot behind this one in its range, and then from the range's beginning.
    fn next_of_range(&self, asked: u64) -> Option<u64> {
        let range = &self.lines.get(&asked)?.range;
        let mut free = self.free_behind(asked);
        free.find(|(_, line)| line.range == *range).map(|(id, _)| id)
    }

    /// The first free robot behind this one in the other ranges of its pool, and then from the first
    /// range on. It is for another telephone system perhaps: one that is not registered there can
    /// neither call nor be called.
    fn next_of_other_ranges(
        &self,
        asked: u64,
        is_registered: impl Fn(&BStr, &BStr) -> bool,
    ) -> Option<u64> {
        let range = &self.lines.get(&asked)?.range;
        let others = self.free_behind(asked).filter(|(_, line)| line.range != *range);
        let mut registered =
            others.filter(|(_, line)| is_registered(line.range.as_ref(), line.number.as_ref()));
        registered.next().map(|(id, _)| id)
    }

    /// The free robots of its pool, from the one behind it round to the one before it.
    fn free_behind(&self, asked: u64) -> impl Iterator<Item = (u64, &Line)> {
        let pool = self.lines.get(&asked).map(|line| &line.pool);
        // One look tells that there is none.
        let pool = pool.filter(|pool| self.pools.get(*pool).is_some_and(|it| !it.free.is_empty()));
        let all = pool.into_iter().flat_map(move |pool| {
            let all = self.lines.range(asked + 1..).chain(self.lines.range(..asked));
            all.filter(move |(_, line)| line.pool == *pool && line.is_free())
        });
        all.map(|(&id, line)| (id, line))
    }

    /// `id` has a line free.
    fn use_line(&mut self, id: u64, user: &BStr) -> Robot {
        self.turn += 1;
        let line = self.lines.get_mut(&id).expect("whoever asks has just found it");
        let rank = line.rank(id);
        line.used += 1;
        line.calls += 1;
        line.turn = self.turn;
        line.last_user = user.into();
        if let Some(pool) = self.pools.get_mut(&line.pool) {
            pool.used += 1;
            pool.calls += 1;
            pool.free.remove(&rank);
            if line.is_free() {
                pool.free.insert(line.rank(id));
            }
        }
        Robot {
            id,
            number: line.number.clone(),
            range: line.range.clone(),
            pool: line.pool.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    fn range(section: &str, pool: &str, numbers: std::ops::Range<u32>, lines: u32) -> RobotRange {
        let numbers = numbers.map(|number| number.to_string().into()).collect();
        RobotRange { pool: pool.into(), numbers, lines, ..RobotRange::new(section) }
    }

    fn pools(ranges: &[RobotRange]) -> Pools {
        let mut pools = Pools::default();
        pools.set_ranges(ranges.iter());
        pools
    }

    fn occupy(pools: &mut Pools, range: &str, number: u32) -> Result<Robot, NoRobot> {
        occupy_where(pools, range, number, |_, _| false)
    }

    fn occupy_where(
        pools: &mut Pools,
        range: &str,
        number: u32,
        is_registered: impl Fn(&BStr, &BStr) -> bool,
    ) -> Result<Robot, NoRobot> {
        let number = number.to_string();
        pools.occupy(range.into(), number.as_bytes().into(), "4711".into(), is_registered)
    }

    fn any(pools: &mut Pools, pool: &str) -> Result<Robot, NoRobot> {
        pools.take(pool.into(), "".into(), |_, _| true)
    }

    #[test]
    fn rob_1_a_call_occupies_its_robot_or_the_next_free_one_of_the_range() {
        let mut pools = pools(&[range("a", "rules", 10..13, 1), range("b", "rules", 20..21, 1)]);
        let got = [11, 11, 11].map(|number| occupy(&mut pools, "a", number).expect("free"));
        assert_eq!(got.each_ref().map(|it| it.number.to_string()), ["11", "12", "10"]);
        assert_eq!(occupy(&mut pools, "a", 11), Err(NoRobot::Busy));
        assert_eq!(occupy(&mut pools, "c", 11), Err(NoRobot::NoPool));
        let view = pools.view_pool("rules".into()).expect("a pool");
        assert_eq!((view.robots, view.lines, view.used, view.load()), (4, 4, 3, 75));
        assert_eq!((view.calls, view.refused), (3, 1));
        let line = pools.view("a".into(), "11".into()).expect("a robot");
        assert_eq!((line.used, line.calls, line.refused), (1, 1, 1));
        assert_eq!(line.last_user, "4711");
        got.into_iter().for_each(|robot| pools.release(robot));
        assert_eq!(pools.view_pool("rules".into()).map(|it| it.used), Some(0));
    }

    #[test]
    fn rob_1_when_a_range_is_busy_the_next_registered_robot_of_the_pool_takes_the_call() {
        let rest = [range("b", "r", 20..22, 1), range("c", "r", 30..31, 2)];
        let of = |when_busy| {
            let first = RobotRange { when_busy, ..range("a", "r", 10..12, 1) };
            pools(&[&[range("z", "s", 50..52, 1), first][..], &rest].concat())
        };
        let all = |pools: &mut Pools, asked: u32, range: &str| {
            // 20 has lost its registration.
            let is_registered = |_: &BStr, number: &BStr| number != "20";
            let got = (0..9).map_while(|_| occupy_where(pools, range, asked, is_registered).ok());
            got.map(|robot| format!("{} {}", robot.range, robot.number)).collect::<Vec<_>>()
        };
        let mut next = of(WhenBusy::Next);
        assert_eq!(all(&mut next, 11, "a"), ["a 11", "a 10", "b 21", "c 30", "c 30"]);
        assert_eq!(next.view_pool("r".into()).map(|it| (it.used, it.refused)), Some((5, 1)));
        assert_eq!(next.view_pool("s".into()).map(|it| it.used), Some(0), "of another pool");
        // Round to the first range, and in its own whether it is registered or not.
        assert_eq!(
            all(&mut of(WhenBusy::Next), 20, "b"),
            ["b 20", "b 21", "c 30", "c 30", "a 10", "a 11"]
        );
        assert_eq!(all(&mut of(WhenBusy::Range), 11, "a"), ["a 11", "a 10"]);
    }

    #[test]
    fn rob_1_a_busy_robot_refuses_where_it_is_told_to() {
        let refusing = RobotRange { when_busy: WhenBusy::Refuse, ..range("a", "r", 10..13, 2) };
        let mut pools = pools(&[refusing]);
        let _both = [11, 11].map(|number| occupy(&mut pools, "a", number).expect("two lines"));
        assert_eq!(occupy(&mut pools, "a", 11), Err(NoRobot::Busy));
        assert!(occupy(&mut pools, "a", 12).is_ok());
    }

    #[test]
    fn rob_1_an_application_gets_the_robot_that_was_idle_for_longest() {
        let mut pools = pools(&[range("a", "r", 10..12, 1), range("b", "r", 20..21, 1)]);
        let mut order = vec![];
        for _ in 0..4 {
            let robot = any(&mut pools, "r").expect("free");
            order.push(robot.number.to_string());
            pools.release(robot);
        }
        assert_eq!(order, ["10", "11", "20", "10"]);
        let registered = pools.take("r".into(), "".into(), |range, _| range == "b");
        assert_eq!(registered.expect("registered").number, "20");
        let none = pools.take("r".into(), "".into(), |_, _| false);
        assert_eq!(none, Err(NoRobot::Unregistered));
        let _both = [any(&mut pools, "r").expect("free"), any(&mut pools, "r").expect("free")];
        assert_eq!(any(&mut pools, "r"), Err(NoRobot::Busy));
        assert_eq!(any(&mut pools, "x"), Err(NoRobot::NoPool));
    }

    #[test]
    fn rob_1_calls_outlive_a_reload_and_so_do_robots_that_went() {
        let mut pools = pools(&[range("a", "r", 10..12, 1)]);
        let (stays, goes) = (occupy(&mut pools, "a", 10), occupy(&mut pools, "a", 11));
        let changed = [range("a", "s", 10..11, 1)];
        pools.set_ranges(changed.iter());
        assert_eq!(occupy(&mut pools, "a", 10), Err(NoRobot::Busy), "its call goes on");
        assert_eq!(pools.view_pool("s".into()).map(|it| it.used), Some(1));
        assert_eq!(pools.view_pool("r".into()), None);
        pools.release(goes.expect("it was free"));
        pools.release(stays.expect("it was free"));
        assert_eq!((pools.lines.len(), occupy(&mut pools, "a", 10).is_ok()), (1, true));
    }

    /// Whatever happens, each robot has the calls that a plain count says it has.
    #[test]
    fn rob_1_no_line_has_two_calls_and_none_is_lost_whatever_happens() {
        for seed in 0..60 {
            let mut entropy = Entropy::new(seed);
            let mut draw = move |below: u64| entropy.next_u64() % below;
            let mut configured = vec![range("a", "r", 10..14, 1), range("b", "r", 20..22, 3)];
            let mut pools = pools(&configured);
            let mut held: Vec<Robot> = vec![];
            for _ in 0..400 {
                let count = |held: &[Robot], section: &str, number: &BStr| {
                    let is_it = |it: &&Robot| it.range == section && it.number == number;
                    held.iter().filter(is_it).count() as u32
                };
                let has_room = |held: &[Robot], pool: &str| {
                    let ranges = configured.iter().filter(|it| it.pool == pool);
                    let mut all = ranges.flat_map(|it| it.numbers.iter().map(move |n| (it, n)));
                    all.any(|(it, number)| {
                        count(held, &it.section.to_string(), number.as_ref()) < it.lines
                    })
                };
                match draw(10) {
                    0..3 => {
                        let section = if draw(2) == 0 { "a" } else { "b" };
                        let number = if section == "a" { 10 + draw(4) } else { 20 + draw(2) };
                        if let Ok(robot) = occupy(&mut pools, section, number as u32) {
                            let lines = configured.iter().find(|it| it.section == section);
                            let used = count(&held, section, robot.number.as_ref());
                            assert!(lines.is_some_and(|it| used < it.lines), "seed {seed}");
                            held.push(robot);
                        }
                    }
                    3..6 => {
                        let expected = has_room(&held, "r");
                        let got = any(&mut pools, "r");
                        assert_eq!(got.is_ok(), expected, "seed {seed}");
                        held.extend(got.ok());
                    }
                    6..9 if !held.is_empty() => {
                        let at = draw(held.len() as u64) as usize;
                        pools.release(held.swap_remove(at));
                    }
                    9 => {
                        let lines = 1 + draw(3) as u32;
                        let end = 11 + draw(4) as u32;
                        let pool = if draw(4) == 0 { "s" } else { "r" };
                        configured[0] = range("a", pool, 10..end, lines);
                        pools.set_ranges(configured.iter());
                    }
                    _ => {}
                }
                for it in &configured {
                    for number in &it.numbers {
                        let number: &BStr = number.as_ref();
                        let used = count(&held, &it.section.to_string(), number);
                        let view = pools.view(it.section.as_ref(), number).expect("configured");
                        assert_eq!(view.used, used, "seed {seed}, {number}");
                    }
                }
                let used: u64 = pools.view_pools(|_, _| true).iter().map(|it| it.used).sum();
                assert!(used <= held.len() as u64, "seed {seed}");
            }
            held.into_iter().for_each(|robot| pools.release(robot));
            assert!(pools.view_pools(|_, _| true).iter().all(|it| it.used == 0), "seed {seed}");
            assert!(pools.lines.values().all(|it| it.lines > 0 && it.used == 0), "seed {seed}");
        }
    }
}
