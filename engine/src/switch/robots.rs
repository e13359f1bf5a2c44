//! Calls of robots: which one a call occupies, and for whom it is.

mod attribution;
mod calling;
mod pools;

use std::{net::IpAddr, sync::Arc};

use bstr::BStr;
use diesis_dialplan::channel::RobotCall;

use super::{Switch, SwitchEvent, call::Call};
use crate::{channel::ChannelId, clock::Now, config::Peer, printable::Printable, sip::Request};
use attribution::Evidence;
pub(super) use calling::Calling;
pub(super) use pools::{NoRobot, Pools, Robot};
pub use pools::{PoolView, RobotView};

impl Switch {
    /// Takes the ranges of the configuration in force.
    pub(super) fn load_robots(&mut self) {
        self.robots.set_ranges(self.config.sip.robots.iter());
    }

    /// Occupies the robot that a request of its registrar asks for, and finds out for whom; `None`
    /// when it is for no robot, or was admitted as somebody else's.
    pub(super) fn occupy_robot(
        &mut self,
        request: &Request,
        (source, peer): (IpAddr, &Peer),
        call: ChannelId,
        now: Now,
    ) -> Result<Option<(Robot, RobotCall)>, NoRobot> {
        let asked = self.robot_asked(request, source);
        let asked = asked.filter(|asked| asked.peer.as_ref() == Some(&peer.name));
        let Some(asked) = asked else { return Ok(None) };
        let (range, number) = (asked.section.clone(), asked.number.clone());
        let sip = Arc::clone(&self.config.sip);
        let Some(settings) = sip.robots.get(range.as_ref()) else { return Ok(None) };
        let evidence = Evidence {
            headers: request.headers(),
            dialled: number.as_ref(),
            range: settings,
            numbering: self.config.plan.numbering(),
            is_robot: &|number| self.is_robot(number),
        };
        let mut about = evidence.attribute();
        let registrations = &self.registrations;
        let bound =
            |range: &BStr, number: &BStr| registrations.is_bound(range, number, now.instant);
        match self.robots.occupy(range.as_ref(), number.as_ref(), about.user.as_ref(), bound) {
            Ok(robot) => {
                about.number = robot.number.clone();
                about.range = robot.range.clone();
                tracing::info!(
                    robot = %robot.number, pool = %robot.pool, user = %Printable(&about.user),
                    by = %about.by, "call of a robot"
                );
                self.tell(SwitchEvent::RobotOccupied {
                    call,
                    robot: robot.number.clone(),
                    pool: robot.pool.clone(),
                    user: about.user.clone(),
                });
                Ok(Some((robot, about)))
            }
            Err(error) => {
                let (robot, pool) = (number, settings.pool.clone());
                tracing::info!(%robot, %pool, user = %Printable(&about.user), %error, "call refused");
                self.tell(SwitchEvent::RobotRefused { robot: Some(robot), pool });
                Err(error)
            }
        }
    }

    /// Gives back the robot of a call that is over.
    pub(super) fn release_robot(&mut self, call: &mut Call) {
        let Some(robot) = call.robot.take() else { return };
        let (number, pool) = (robot.number.clone(), robot.pool.clone());
        self.robots.release(*robot);
        self.tell(SwitchEvent::RobotReleased { call: call.id, robot: number, pool });
    }

    /// How the pools of robots stand.
    pub fn view_pools(&self, now: Now) -> Vec<PoolView> {
        let bound =
            |range: &BStr, number: &BStr| self.registrations.is_bound(range, number, now.instant);
        self.robots.view_pools(bound)
    }

    /// Whether some range has this number.
    fn is_robot(&self, number: &BStr) -> bool {
        self.robots.has(number)
    }
}
