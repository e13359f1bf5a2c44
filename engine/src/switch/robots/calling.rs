//! Calls that an application makes as one of its robots: `Dial(Robot/rules/0142685300)`.
//!
//! The robot that has been idle for longest calls its telephone system as a station would: its own
//! number in From, its own password.

use bstr::{BStr, ByteSlice};

use super::{NoRobot, Robot};
use crate::{
    channel::Cause,
    clock::Now,
    config::AuthCredentials,
    printable::Printable,
    sip::{Flow, NameAddr, Scheme, Uri, auth::OwnCredentials},
    switch::{Switch, SwitchEvent, registrations::Line},
};

/// A robot that is to call, and how.
pub(in super::super) struct Calling {
    pub(in super::super) robot: Robot,
    pub(in super::super) target: Uri,
    pub(in super::super) flow: Flow,
    pub(in super::super) routes: Vec<NameAddr>,
    /// The robot.
    pub(in super::super) from: NameAddr,
    pub(in super::super) credentials: Vec<OwnCredentials>,
}

impl Switch {
    /// A robot of the pool in `pool/number`, which is to call the number.
    pub(in super::super) fn take_robot(
        &mut self,
        resource: &BStr,
        user: &BStr,
        now: Now,
    ) -> Result<Calling, Cause> {
        let Some((pool, number)) = resource.split_once_str("/").filter(|(_, it)| !it.is_empty())
        else {
            tracing::warn!(
                resource = %Printable(resource), "Dial: Robot/pool/number is what can be called"
            );
            return Err(Cause::INVALID_NUMBER_FORMAT);
        };
        let pool = pool.as_bstr();
        let registrations = &self.registrations;
        let bound =
            |range: &BStr, number: &BStr| registrations.is_bound(range, number, now.instant);
        let robot = self.robots.take(pool, user, bound).map_err(|error| {
            tracing::warn!(pool = %Printable(pool), %error, "Dial: no robot to call as");
            self.tell(SwitchEvent::RobotRefused { robot: None, pool: pool.into() });
            match error {
                NoRobot::NoPool => Cause::NO_ROUTE,
                NoRobot::Busy => Cause::CONGESTION,
                NoRobot::Unregistered => Cause::SUBSCRIBER_ABSENT,
            }
        })?;
        let line = self.registrations.line(robot.range.as_ref(), robot.number.as_ref());
        let target = line.as_ref().and_then(|line| target(line, number.as_bstr()));
        let (Some(Line { wanted, flow }), Some(target)) = (line, target) else {
            // It was bound a moment ago: what can be wrong is the number.
            tracing::warn!(number = %Printable(number), "Dial: this can not be called");
            self.robots.release(robot);
            return Err(Cause::INVALID_NUMBER_FORMAT);
        };
        Ok(Calling {
            target,
            flow,
            routes: wanted.proxies.clone(),
            from: wanted.address_of_record.clone(),
            credentials: wanted.credentials.iter().map(AuthCredentials::own).collect(),
            robot,
        })
    }

    /// Gives a robot to the call that it makes.
    pub(in super::super) fn occupy_for(
        &mut self,
        call: &mut super::Call,
        robot: Robot,
        user: &BStr,
    ) {
        self.tell(SwitchEvent::RobotOccupied {
            call: call.id,
            robot: robot.number.clone(),
            pool: robot.pool.clone(),
            user: user.into(),
        });
        call.robot = Some(Box::new(robot));
    }
}

/// A number at the robot's telephone system.
fn target(line: &Line<'_>, number: &BStr) -> Option<Uri> {
    let registrar = &line.wanted.registrar;
    let number = Uri::sip(number, registrar.host_str(), registrar.port()).ok()?;
    match registrar.scheme() {
        Scheme::Sips => Uri::parse(&format!("sips{}", number.as_str().strip_prefix("sip")?)).ok(),
        _ => Some(number),
    }
}
