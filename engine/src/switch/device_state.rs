//! Who is busy: the states of devices as calls, bindings and the dialplan change them, and what that
//! makes of the hints that name them.
//!
//! A call counts for its device in one place, whenever it had its turn. A device that something
//! happened to is looked at once, when nothing else is left to be done, and then the hints that name
//! it are, and no other: what a change costs does not grow with the dialplan.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque, hash_map::Entry},
    sync::Arc,
    time::Instant,
};

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::{
    host::{Accepts, MemoryHost},
    plan::{Circumstances, Plan, Target},
    world::World,
};

use super::{
    Direction, Switch, SwitchEvent,
    call::{Call, Hold, Phase},
    view::HintView,
};
use crate::{
    bridge::Rooms,
    channel::ChannelId,
    clock::Now,
    config::SipSettings,
    presence::{CallsOfDevice, Device, DeviceState, ExtensionState, Hint, combine},
    sip::registrar::Registrar,
};

/// As what a call counts for its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Share {
    /// Not at all: it is over, or the device does not know of it yet.
    #[default]
    Nothing,
    /// It rings there.
    Rings,
    /// The device is in it, or makes it.
    Up,
    /// The same, and the device holds it.
    Held,
}

impl Share {
    fn of(call: &Call) -> Self {
        match (&call.phase, call.direction) {
            (Phase::Down(_), _) => Self::Nothing,
            (Phase::Up, _) if call.hold == Hold::Held => Self::Held,
            (Phase::Up, _) | (_, Direction::Incoming) => Self::Up,
            // A phone that sends its own ringing tone rings.
            (Phase::Ringing | Phase::EarlyMedia, Direction::Outgoing) => Self::Rings,
            (Phase::Proceeding, Direction::Outgoing) => Self::Nothing,
        }
    }
}

/// The states of devices, and the hints by the devices that they name.
#[derive(Debug, Default)]
pub(super) struct Devices {
    /// The calls of the devices that are in any.
    calls: HashMap<Device, CallsOfDevice>,
    /// The same calls, with what each counts as.
    members: HashMap<Device, BTreeMap<ChannelId, Share>>,
    /// The peers that each address of record leads to.
    peers_of_aor: HashMap<BString, Vec<BString>>,
    hints: Vec<KnownHint>,
    /// The hints by context and extension.
    places: HashMap<Place, usize>,
    /// The hints that name a device.
    hints_of: HashMap<Device, Vec<usize>>,
    /// How many hints were made of patterns.
    concrete: usize,
    /// The states that were told last.
    told: HashMap<Device, DeviceState>,
    /// Devices that something happened to, each once.
    touched: VecDeque<Device>,
    waiting: HashSet<Device>,
}

/// Where a hint stands: its context, and the extension that it is for.
pub(super) type Place = (BString, BString);

/// An extension that has a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watchable {
    /// Where its changes are told; `None` when there are too many of patterns to watch one more.
    pub(super) place: Option<Place>,
    pub(super) state: ExtensionState,
}

/// The hint of one extension.
#[derive(Debug)]
struct KnownHint {
    context: BString,
    extension: BString,
    devices: Vec<Device>,
    state: ExtensionState,
    origin: Origin,
}

impl KnownHint {
    fn place(&self) -> Place {
        (self.context.clone(), self.extension.clone())
    }

    fn watchable(&self) -> Watchable {
        Watchable { place: Some(self.place()), state: self.state }
    }
}

/// Where a hint is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// It stands in the dialplan, or `autohints` makes it.
    Plan,
    /// Somebody asked for an extension that a pattern with a hint matches.
    Pattern,
}

/// What the states of devices are made of besides calls.
pub(super) struct Sources<'a> {
    pub(super) sip: &'a SipSettings,
    pub(super) registrar: &'a Registrar,
    pub(super) rooms: &'a Rooms,
    /// For custom devices; without it they are unknown.
    pub(super) custom: Option<&'a World>,
    /// For dialplan extensions; without it all are there.
    pub(super) plan: Option<&'a Plan>,
    pub(super) now: Instant,
}

impl Devices {
    /// No calls, no hints.
    pub(super) fn new(sip: &SipSettings) -> Self {
        Self { peers_of_aor: peers_of_aor(sip), ..Self::default() }
    }

    /// What a device does now.
    pub(super) fn state_of(&self, device: &Device, sources: &Sources<'_>) -> DeviceState {
        match device {
            Device::Peer(name) => self.peer(device, name.as_ref(), sources),
            Device::Custom(name) => {
                let state = sources.custom.and_then(|world| world.custom_device_state(name));
                state.and_then(|state| DeviceState::parse(state)).unwrap_or(DeviceState::Unknown)
            }
            Device::Conference(room) => match sources.rooms.count(room.as_ref()) {
                0 => DeviceState::NotInUse,
                _ => DeviceState::InUse,
            },
            Device::Local(place) => {
                let (extension, context) = local_place(place);
                let is_there = !extension.is_empty()
                    && sources.plan.is_none_or(|plan| plan.context(context).is_some());
                if !is_there {
                    DeviceState::Invalid
                } else if self.calls.contains_key(&canonical(device)) {
                    DeviceState::InUse
                } else {
                    DeviceState::NotInUse
                }
            }
            Device::Parking(_) | Device::Other(_) => DeviceState::Invalid,
        }
    }

    fn peer(&self, device: &Device, name: &BStr, sources: &Sources<'_>) -> DeviceState {
        let Some(peer) = sources.sip.peers.get(name) else { return DeviceState::Invalid };
        if let Some(calls) = self.calls.get(device) {
            return CallsOfDevice { busy_at: peer.device_state_busy_at, ..*calls }.state();
        }
        let is_reachable = peer.aors.iter().any(|aor| {
            let aor = aor.as_bstr();
            sources.sip.aors.get(aor).is_some_and(|aor| !aor.contacts.is_empty())
                || !sources.registrar.bindings(aor, sources.now).is_empty()
        });
        if is_reachable { DeviceState::NotInUse } else { DeviceState::Unavailable }
    }

    /// Something happened to a device: it is looked at when its turn comes. One that nobody can
    /// watch is not.
    pub(super) fn touch(&mut self, device: Device) {
        let device = canonical(&device);
        let is_watched = matches!(device, Device::Peer(_) | Device::Custom(_))
            || self.hints_of.contains_key(&device);
        if is_watched && self.waiting.insert(device.clone()) {
            self.touched.push_back(device);
        }
    }

    /// The bindings of an address of record changed.
    pub(super) fn touch_aor(&mut self, aor: &BStr) {
        for peer in self.peers_of_aor.get(aor).cloned().unwrap_or_default() {
            self.touch(Device::Peer(peer));
        }
    }

    /// A device to look at.
    pub(super) fn poll_touched(&mut self) -> Option<Device> {
        let device = self.touched.pop_front()?;
        self.waiting.remove(&device);
        Some(device)
    }

    /// A call counts as something else for a device.
    fn recount(&mut self, device: Device, call: ChannelId, was: Share, is: Share) {
        let members = self.members.entry(device.clone()).or_default();
        match is {
            Share::Nothing => members.remove(&call),
            Share::Rings | Share::Up | Share::Held => members.insert(call, is),
        };
        if members.is_empty() {
            self.members.remove(&device);
        }
        let calls = self.calls.entry(device.clone()).or_default();
        let mut count = |share: Share, by: fn(u32) -> u32| match share {
            Share::Nothing => {}
            Share::Rings => calls.ringing = by(calls.ringing),
            Share::Up => calls.up = by(calls.up),
            Share::Held => {
                calls.up = by(calls.up);
                calls.held = by(calls.held);
            }
        };
        count(was, |calls| calls.saturating_sub(1));
        count(is, |calls| calls.saturating_add(1));
        if calls.ringing == 0 && calls.up == 0 {
            self.calls.remove(&device);
        }
        self.touch(device);
    }

    /// Adds a hint whose devices' states are known, unless the place has one.
    fn add(&mut self, place: Place, devices: Vec<Device>, origin: Origin) {
        let Entry::Vacant(free) = self.places.entry(place) else { return };
        let (context, extension) = free.key().clone();
        let nth = self.hints.len();
        free.insert(nth);
        for device in &devices {
            let hints = self.hints_of.entry(device.clone()).or_default();
            // A hint may name a device twice.
            if hints.last() != Some(&nth) {
                hints.push(nth);
            }
        }
        let state = self.combined(&devices);
        self.concrete += usize::from(origin == Origin::Pattern);
        self.hints.push(KnownHint { context, extension, devices, state, origin });
    }

    fn combined(&self, devices: &[Device]) -> ExtensionState {
        let states = devices.iter().map(|device| self.told.get(device).copied());
        combine(states.map(|state| state.unwrap_or(DeviceState::Unknown))).into()
    }

    /// The hints that name a device, if they are in another state than before.
    fn update_hints(&mut self, device: &Device, mut changed: impl FnMut(&KnownHint)) {
        let Some(hints) = self.hints_of.get(device) else { return };
        for &nth in hints {
            let state = self.combined(&self.hints[nth].devices);
            let hint = &mut self.hints[nth];
            if hint.state != state {
                hint.state = state;
                changed(hint);
            }
        }
    }
}

impl Switch {
    /// What an extension with a hint does; `None` when it has no hint. From now on the extension's
    /// changes are told, also where its hint is a pattern's.
    pub fn extension_state(
        &mut self,
        context: &BStr,
        extension: &BStr,
        now: Now,
    ) -> Option<ExtensionState> {
        self.watchable(context, extension, now).map(|watchable| watchable.state)
    }

    /// The hint of an extension, made of a pattern if need be.
    pub(super) fn watchable(
        &mut self,
        context: &BStr,
        extension: &BStr,
        now: Now,
    ) -> Option<Watchable> {
        let plan = Arc::clone(&self.config.plan);
        let circumstances =
            Circumstances { caller: None, now: now.wall, zone: self.config.time_zone.clone() };
        let Ok(found) = plan.find_in(context, extension, Target::Hint, &circumstances) else {
            // One that `autohints` made is not in the plan.
            return self.hint_at(context, extension).map(KnownHint::watchable);
        };
        let hint = plan.step(found.step).extension();
        let at = plan.view(hint.context()).name();
        let name = if hint.is_pattern() { extension } else { hint.name() };
        if let Some(hint) = self.hint_at(at, name) {
            return Some(hint.watchable());
        }
        let mut host = MemoryHost::new(now.wall);
        host.zone = self.config.time_zone.clone();
        host.accepts = Accepts::Nothing;
        std::mem::swap(&mut host.world, &mut self.world);
        let text = plan.hint_devices(found.step, extension, &mut host);
        std::mem::swap(&mut host.world, &mut self.world);
        let devices = self.devices_of(&text, now);
        if self.devices.concrete >= MOST_CONCRETE {
            tracing::warn!(%context, "{MOST_CONCRETE} hints of patterns are watched: no more are");
            return Some(Watchable { place: None, state: self.devices.combined(&devices) });
        }
        self.devices.add((at.into(), name.into()), devices, Origin::Pattern);
        self.hint_at(at, name).map(KnownHint::watchable)
    }

    fn hint_at(&self, context: &BStr, extension: &BStr) -> Option<&KnownHint> {
        let place = (context.into(), extension.into());
        self.devices.places.get(&place).map(|&nth| &self.devices.hints[nth])
    }

    /// Lets a call count for its device as what it is now.
    pub(super) fn count_call(&mut self, call: &mut Call) {
        let share = Share::of(call);
        if share == call.share {
            return;
        }
        if let Some(device) = device_of(call) {
            self.devices.recount(device, call.id, call.share, share);
        }
        call.share = share;
    }

    /// Looks at a device that something happened to, and tells what changed.
    pub(super) fn tell_device(&mut self, device: &Device, now: Now) {
        let state = self.look(device, now);
        if self.devices.told.insert(device.clone(), state) == Some(state) {
            return;
        }
        self.tell(SwitchEvent::DeviceStateChanged { device: device.to_bytes(), state });
        let mut changed = Vec::new();
        self.devices.update_hints(device, |hint| changed.push((hint.place(), hint.state)));
        for (place, state) in changed {
            self.tell_hint(place, state, now);
        }
    }

    fn tell_hint(&mut self, place: Place, state: ExtensionState, now: Now) {
        self.note_extension(&place, now);
        let (context, extension) = place;
        self.tell(SwitchEvent::ExtensionStateChanged { context, extension, state });
    }

    /// What a place with a hint does; unavailable when the hint is gone.
    pub(super) fn state_at(&self, (context, extension): &Place) -> ExtensionState {
        let hint = self.hint_at(context.as_bstr(), extension.as_bstr());
        hint.map_or(ExtensionState::Unavailable, |hint| hint.state)
    }

    /// The calls that a place's hint counts, each with what it counts as; the oldest first.
    pub(super) fn calls_at(&self, (context, extension): &Place) -> Vec<(ChannelId, Share)> {
        let hint = self.hint_at(context.as_bstr(), extension.as_bstr());
        let devices = hint.map(|hint| hint.devices.as_slice()).unwrap_or_default();
        let members = devices.iter().filter_map(|device| self.devices.members.get(device));
        let mut calls: Vec<_> = members.flatten().map(|(&id, &share)| (id, share)).collect();
        // A hint may name a device twice.
        calls.sort_unstable_by_key(|&(id, _)| id);
        calls.dedup_by_key(|&mut (id, _)| id);
        calls
    }

    /// The state of a device as DEVICE_STATE() tells it.
    pub(super) fn told_state(&self, device: &BStr, now: Now) -> BString {
        self.look(&Device::parse(device), now).name().into()
    }

    /// All extensions with a hint, in the order of the dialplan.
    pub fn view_hints(&self) -> Vec<HintView> {
        let view = |hint: &KnownHint| HintView {
            context: hint.context.clone(),
            extension: hint.extension.clone(),
            devices: hint.devices.iter().map(Device::to_bytes).collect(),
            state: hint.state,
            watchers: self.subscriptions.watchers_of(&hint.place()),
        };
        self.devices.hints.iter().map(view).collect()
    }

    /// The settings changed: looks at every peer that there was or is, and tells what changed.
    pub(super) fn review_devices(&mut self, before: &SipSettings, now: Now) {
        let sip = Arc::clone(&self.config.sip);
        self.devices.peers_of_aor = peers_of_aor(&sip);
        for peer in sip.peers.iter() {
            self.tell_device(&Device::Peer(peer.name.clone()), now);
        }
        for peer in before.peers.iter().filter(|it| sip.peers.get(it.name.as_bstr()).is_none()) {
            let gone = Device::Peer(peer.name.clone());
            self.tell_device(&gone, now);
            self.devices.told.remove(&gone);
        }
    }

    /// Reads the hints of the plan in force. Those that changed are told, those that are gone as
    /// unavailable; what was asked of patterns is asked again.
    pub(super) fn load_hints(&mut self, now: Now) {
        let plan = Arc::clone(&self.config.plan);
        let sip = Arc::clone(&self.config.sip);
        for peer in &sip.peers {
            let device = Device::Peer(peer.name.clone());
            let state = self.look(&device, now);
            self.devices.told.insert(device, state);
        }
        let before = std::mem::take(&mut self.devices.hints);
        self.devices.places.clear();
        self.devices.hints_of.clear();
        self.devices.concrete = 0;
        self.devices.told.retain(|device, _| matches!(device, Device::Peer(_) | Device::Custom(_)));
        for context in plan.contexts() {
            for extension in context.extensions().filter(|extension| !extension.is_pattern()) {
                let Some(hint) = extension.hint() else { continue };
                let devices = self.devices_of(hint.application(), now);
                let place = (context.name().into(), extension.name().into());
                self.devices.add(place, devices, Origin::Plan);
            }
            for peer in sip.peers.into_iter().filter(|_| context.has_auto_hints()) {
                let place = (context.name().into(), peer.name.clone());
                self.devices.add(place, vec![Device::Peer(peer.name.clone())], Origin::Plan);
            }
        }
        for hint in before {
            let (context, extension) = (hint.context.as_bstr(), hint.extension.as_bstr());
            let state = match hint.origin {
                Origin::Pattern => self.extension_state(context, extension, now),
                Origin::Plan => self.hint_at(context, extension).map(|hint| hint.state),
            };
            let state = state.unwrap_or(ExtensionState::Unavailable);
            if state != hint.state {
                self.tell_hint(hint.place(), state, now);
            }
        }
        self.review_subscriptions(now);
    }

    /// The devices of a hint, each looked at.
    fn devices_of(&mut self, text: &[u8], now: Now) -> Vec<Device> {
        let devices: Vec<_> = Hint::parse(text).devices.iter().map(canonical).collect();
        for device in &devices {
            if !self.devices.told.contains_key(device) {
                let state = self.look(device, now);
                self.devices.told.insert(device.clone(), state);
            }
        }
        devices
    }

    fn look(&self, device: &Device, now: Now) -> DeviceState {
        let sources = Sources {
            sip: &self.config.sip,
            registrar: &self.registrar,
            rooms: &self.rooms,
            custom: Some(&self.world),
            plan: Some(&self.config.plan),
            now: now.instant,
        };
        self.devices.state_of(device, &sources)
    }
}

fn peers_of_aor(sip: &SipSettings) -> HashMap<BString, Vec<BString>> {
    let mut peers_of_aor: HashMap<BString, Vec<BString>> = HashMap::new();
    for peer in &sip.peers {
        for aor in &peer.aors {
            peers_of_aor.entry(aor.clone()).or_default().push(peer.name.clone());
        }
    }
    peers_of_aor
}

/// The device a call is at: its peer, or the place that the first half of a Local channel calls.
fn device_of(call: &Call) -> Option<Device> {
    if let Some(peer) = &call.parties.peer {
        return Some(Device::Peer(peer.clone()));
    }
    let half = call.name.strip_prefix(b"Local/")?.strip_suffix(b";1")?;
    let place = &half[..half.rfind_byte(b'-')?];
    Some(canonical(&Device::Local(place.into())))
}

/// A device by the one name it has in tables: a Local place with its context and without options.
fn canonical(device: &Device) -> Device {
    let Device::Local(place) = device else { return device.clone() };
    let (extension, context) = local_place(place);
    Device::Local([extension, b"@", context].concat().into())
}

fn local_place(place: &[u8]) -> (&[u8], &[u8]) {
    let place = place.split_str("/").next().unwrap_or_default();
    place.split_once_str("@").unwrap_or((place, b"default"))
}

/// Hints of patterns that somebody asked for. Each costs some 200 octets.
const MOST_CONCRETE: usize = 10_000;
