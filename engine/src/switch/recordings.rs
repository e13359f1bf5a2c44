//! Recordings that a dialplan asks for: where they lie, who is told what becomes of them.

use std::time::Duration;

use bstr::{BStr, BString, ByteSlice, ByteVec};
use diesis_dialplan::operation::{MixMonitor, Outcome, Record, Recorded};

use super::{RoomChange, Switch, SwitchEvent, call::Call, plan::resume};
use crate::{
    channel::{Beeps, BegunBy, ChannelId, During, Ending, MonitorRequest, RecordRequest, Recorder},
    clock::Now,
    config::ConferenceRecording,
    media::{Command as MediaCommand, Digit, RoomId, ShardId, TapId},
    pbx::perform,
    printable::Printable,
    recording::{
        Base, Existing, Fate, Input, NewFile, RecordingId, RecordingNews, RecordingRequest, Track,
        Volumes, format_of,
    },
};

impl Switch {
    /// A recording to be begun or ended.
    pub fn poll_recording(&mut self) -> Option<RecordingRequest> {
        self.outbox.poll_recording()
    }

    /// Something is told of a recording.
    pub fn handle_recording(&mut self, news: RecordingNews, now: Now) {
        self.worked_at = now;
        match self.outbox.recorder(&news) {
            Some(Recorder::Channel(call)) => self
                .with_call(call, now, |switch, call| switch.take_recording_news(call, news, now)),
            Some(Recorder::Room { room, shard }) => {
                self.take_room_recording_news(room, shard, news)
            }
            None => {}
        }
        self.work(now);
    }

    fn take_recording_news(&mut self, call: &mut Call, news: RecordingNews, now: Now) {
        match &news {
            RecordingNews::Failed { reason, .. } => {
                tracing::error!(
                    call_id = %call.parties.call_id, channel = %call.name,
                    "a recording can not begin: {reason}"
                );
            }
            RecordingNews::Broken { reason, .. } => {
                tracing::error!(
                    call_id = %call.parties.call_id, channel = %call.name,
                    "a recording ends early: {reason}"
                );
            }
            RecordingNews::Opened { .. } | RecordingNews::Closed { .. } => {}
        }
        call.channel.handle_recording(news, now.instant, &mut self.outbox);
        // Known from the beginning, and still when the caller hangs up.
        note_file(call);
    }

    /// Begins a Record.
    pub(super) fn record(&mut self, call: &mut Call, record: Record, now: Now) {
        self.open_early_media(call, now);
        match self.record_request(record) {
            Ok(request) => call.channel.record(request, &mut self.outbox),
            Err((name, reason)) => {
                tracing::error!(
                    call_id = %call.parties.call_id, channel = %call.name,
                    "Record({}): {reason}", Printable(&name)
                );
                resume(call, not_recorded(name));
            }
        }
    }

    fn record_request(&self, record: Record) -> Result<RecordRequest, (BString, String)> {
        let Record { name, format, silence, limit, stop, options } = record;
        let refused = |reason: String| (name.clone(), reason);
        let file = self.new_file(name.as_ref(), format.as_ref(), Base::Sounds).map_err(refused)?;
        let existing = match (name.contains_str("%d"), options.has(b'a')) {
            (true, _) => Existing::Numbered,
            (false, true) => Existing::Continued,
            (false, false) => Existing::Replaced,
        };
        Ok(RecordRequest {
            file: NewFile { existing, ..file },
            beep: (!options.has(b'q')).then(|| "beep".into()),
            silence,
            limit,
            stop: perform::digit_set(stop),
            operator: Digit::from_char('0').filter(|_| options.has(b'o')),
            ending: if options.has(b'u') { Ending::Whole } else { Ending::Trimmed },
            at_hangup: if options.has(b'k') { Fate::Kept } else { Fate::Deleted },
            name,
        })
    }

    /// Begins a MixMonitor.
    pub(super) fn begin_monitor(&mut self, call: &mut Call, monitor: &MixMonitor) {
        if call.other_half.is_some() {
            tracing::warn!(
                call_id = %call.parties.call_id, channel = %call.name,
                "MixMonitor: a Local channel has no sound of its own, nothing will be recorded"
            );
        }
        match self.monitor_request(monitor) {
            Ok(request) => call.channel.begin_monitor(request, &mut self.outbox),
            Err((name, reason)) => {
                tracing::error!(
                    call_id = %call.parties.call_id, channel = %call.name,
                    "MixMonitor({}): {reason}", Printable(&name)
                );
                resume(call, Outcome::Failed);
            }
        }
    }

    fn monitor_request(&self, monitor: &MixMonitor) -> Result<MonitorRequest, (BString, String)> {
        let MixMonitor { file, heard_file, sent_file, .. } = monitor;
        let both = if monitor.is_stereo { Track::Stereo } else { Track::Mixed };
        let existing = if monitor.appends { Existing::Continued } else { Existing::Replaced };
        let mut files = Vec::new();
        for (name, track) in [(file, both), (heard_file, Track::Heard), (sent_file, Track::Sent)] {
            let Some(name) = name else { continue };
            let (stem, format) = stem_and_format(name.as_ref());
            let file = self.new_file(stem, format, Base::Recordings);
            let file = file.map_err(|reason| (name.clone(), reason))?;
            files.push(NewFile { track, existing, ..file });
        }
        Ok(MonitorRequest {
            files,
            volumes: Volumes { heard: monitor.heard_volume, sent: monitor.sent_volume },
            during: if monitor.only_bridged { During::Bridges } else { During::Always },
            fate: if monitor.is_deleted { Fate::Deleted } else { Fate::Kept },
            beeps: Beeps {
                at_start: monitor.beeps_at_start,
                at_end: monitor.beeps_at_end,
                every: monitor.beeps_every,
            },
            begun_by: BegunBy::Dialplan,
        })
    }

    /// Somebody in a call asked for a recording by keys, or for its end.
    pub(super) fn record_by_keys(&mut self, call: &mut Call, now: Now) {
        let partner = self.partner(call);
        let of_partner = partner.and_then(|id| self.calls.get(&id)?.channel.monitor_by_keys());
        let tone = self.config.features.courtesy_tone.clone();
        let ended = if let Some(id) = call.channel.monitor_by_keys() {
            call.channel.stop_monitors(Some(id), &mut self.outbox);
            true
        } else if let (Some(partner), Some(id)) = (partner, of_partner) {
            self.with_call(partner, now, |switch, partner| {
                partner.channel.stop_monitors(Some(id), &mut switch.outbox);
            });
            true
        } else {
            false
        };
        if !ended && !self.begin_by_keys(call, partner, now) {
            let sound = self.config.features.recording_fail_sound.clone();
            if !sound.is_empty() {
                call.channel.slip_prompt(sound, &mut self.outbox);
            }
            return;
        }
        if tone.is_empty() {
            return;
        }
        call.channel.slip_prompt(tone.clone(), &mut self.outbox);
        if let Some(partner) = partner {
            self.with_call(partner, now, |switch, partner| {
                partner.channel.slip_prompt(tone, &mut switch.outbox);
            });
        }
    }

    fn begin_by_keys(&mut self, call: &mut Call, partner: Option<ChannelId>, now: Now) -> bool {
        let variable = |names: [&str; 2]| {
            let pbx = call.pbx()?;
            let value = names.into_iter().find_map(|name| pbx.variable(name));
            value.filter(|value| !value.is_empty()).map(ToOwned::to_owned)
        };
        let number = |call: &Call| {
            let caller = call.pbx().and_then(|pbx| pbx.channel().caller.number.clone());
            caller.filter(|number| !number.is_empty()).unwrap_or_else(|| call.name.clone())
        };
        let format = variable(["TOUCH_MIXMONITOR_FORMAT", "TOUCH_MONITOR_FORMAT"]);
        let format = format.unwrap_or_else(|| "wav".into());
        let touched = variable(["TOUCH_MIXMONITOR", "TOUCH_MONITOR"]).unwrap_or_else(|| {
            let mut both = number(call);
            if let Some(partner) = partner.and_then(|partner| self.calls.get(&partner)) {
                both.push(b'-');
                both.extend_from_slice(&number(partner));
            }
            both
        });
        // A number of somebody else's making names no directory.
        let touched = touched.replace("/", "-");
        let name = [format!("auto-{}-", now.wall.as_second()).as_bytes(), &touched].concat();
        let file = match self.new_file(name.as_bstr(), format.as_ref(), Base::Recordings) {
            Ok(file) => file,
            Err(reason) => {
                let call_id = &call.parties.call_id;
                tracing::error!(%call_id, "a recording by keys: {reason}");
                return false;
            }
        };
        let path: BString = Vec::from_path_lossy(&file.path).into_owned().into();
        let request = MonitorRequest {
            files: vec![file],
            volumes: Volumes::default(),
            during: During::Bridges,
            fate: Fate::Kept,
            beeps: Beeps::default(),
            begun_by: BegunBy::Keys,
        };
        if call.channel.monitor(request, &mut self.outbox).is_none() {
            return false;
        }
        let note = |call: &mut Call| {
            if let Some(pbx) = call.pbx_mut() {
                pbx.set_variable("TOUCH_MIXMONITOR_OUTPUT", &path);
            }
        };
        note(call);
        if let Some(partner) = partner.and_then(|partner| self.calls.get_mut(&partner)) {
            note(partner);
        }
        true
    }

    /// The file of a name and a format, with one track.
    fn new_file(&self, name: &BStr, format: &BStr, base: Base) -> Result<NewFile, String> {
        let stored =
            format_of(format).map_err(|error| format!("format {}: {error}", Printable(format)))?;
        let mut file = name.to_owned();
        file.push(b'.');
        file.extend_from_slice(format);
        let path = self.config.recordings.place(&file, base).map_err(|error| error.to_string())?;
        let (track, existing) = (Track::Mixed, Existing::Replaced);
        Ok(NewFile { path, format: stored, track, existing })
    }

    /// Records a room, to the file it had before if it was recorded already.
    pub(super) fn record_room(
        &mut self,
        (room, shard): (RoomId, ShardId),
        name: &BString,
        how: &ConferenceRecording,
        now: Now,
    ) {
        let file = match self.room_recordings.get(&room) {
            Some(before) => NewFile { existing: Existing::Continued, ..before.file.clone() },
            None => match self.room_recording_file(name, how, now) {
                Ok(file) => file,
                Err((file, reason)) => {
                    let (shown, file) = (Printable(name), Printable(&file));
                    tracing::error!(room = %shown, %file, "a conference is not recorded: {reason}");
                    return self.room_recording_failed(room);
                }
            },
        };
        let (recorder, files) = (Recorder::Room { room, shard }, vec![file.clone()]);
        let id = self.outbox.open_recording(recorder, Input::Mono, Volumes::default(), files);
        self.room_recordings.insert(room, RoomRecording { id: Some(id), file });
    }

    /// The file a room is recorded to; else its name, and why there is none.
    pub(super) fn room_recording_file(
        &self,
        name: &BString,
        how: &ConferenceRecording,
        now: Now,
    ) -> Result<NewFile, (BString, String)> {
        let file = room_file(name, how, now);
        let (stem, format) = stem_and_format(file.as_ref());
        match self.new_file(stem, format, Base::Recordings) {
            Ok(new) if how.appends => Ok(NewFile { existing: Existing::Continued, ..new }),
            Ok(new) => Ok(new),
            Err(reason) => Err((file, reason)),
        }
    }

    /// Nothing is written of a room any more: it does not count as recorded.
    fn room_recording_failed(&mut self, room: RoomId) {
        self.room_recordings.remove(&room);
        if let Some(name) = self.rooms.recording_failed(room) {
            self.tell_change(name.as_ref(), RoomChange::RecordingStopped);
        }
    }

    /// Nobody is heard in a room any more, nobody is there, or it is not to be recorded any more.
    pub(super) fn end_room_recording(&mut self, room: RoomId) {
        let Some(recording) = self.room_recordings.get_mut(&room) else { return };
        if let Some(id) = recording.id.take() {
            self.outbox.close_recording(id, Duration::ZERO, Fate::Kept);
        }
        if !self.rooms.wants_recording(room) {
            self.room_recordings.remove(&room);
        }
    }

    fn take_room_recording_news(&mut self, room: RoomId, shard: ShardId, news: RecordingNews) {
        let current = self.room_recordings.get_mut(&room);
        let current = current.filter(|recording| recording.id == Some(news.id()));
        match (news, current) {
            (RecordingNews::Opened { id, sink, .. }, Some(recording)) => {
                let path = recording.file.path.display();
                tracing::info!(%path, "a conference is recorded");
                let tap = TapId(id.number());
                let rate = recording.file.ring_rate();
                self.outbox.command(shard, MediaCommand::TapRoom { room, tap, rate, sink });
            }
            (RecordingNews::Failed { reason, .. }, Some(_)) => {
                tracing::error!("a conference is not recorded: {reason}");
                self.room_recording_failed(room);
            }
            (RecordingNews::Broken { id, reason }, Some(_)) => {
                tracing::error!("the recording of a conference ends early: {reason}");
                self.room_recording_failed(room);
                let tap = TapId(id.number());
                self.outbox.command(shard, MediaCommand::UntapRoom { room, tap });
                self.outbox.close_recording(id, Duration::ZERO, Fate::Kept);
            }
            // It ended before its file was there, or is whole.
            _ => {}
        }
    }

    /// A listener to a call's stream is gone.
    pub(super) fn tap_ended(&mut self, call: &mut Call, tap: TapId, dropped: u64) {
        if call.channel.handle_tap_ended(tap) {
            return self.tell(SwitchEvent::RecordingStopped { call: call.id, dropped });
        }
        warn_of_gaps(Some(call), dropped);
    }
}

/// The recording of a room.
#[derive(Debug)]
pub(super) struct RoomRecording {
    /// While somebody is heard.
    id: Option<RecordingId>,
    file: NewFile,
}

/// The file of a room as its profile names it.
fn room_file(name: &BString, how: &ConferenceRecording, now: Now) -> BString {
    let time = now.wall.as_second();
    if how.file.is_empty() {
        // Callers may have made up the room's name.
        let name = name.replace("/", "-");
        return [b"confbridge-", name.as_slice(), format!("-{time}.wav").as_bytes()]
            .concat()
            .into();
    }
    if !how.has_time {
        return how.file.clone();
    }
    let (stem, format) = stem_and_format(how.file.as_ref());
    [stem.as_bytes(), format!("-{time}.").as_bytes(), format.as_bytes()].concat().into()
}

/// A name without an extension is of the format `raw`, as in Asterisk.
fn stem_and_format(name: &BStr) -> (&BStr, &BStr) {
    let file = name.rfind_byte(b'/').map_or(0, |slash| slash + 1);
    match name[file..].rfind_byte(b'.') {
        Some(point) => (name[..file + point].as_bstr(), name[file + point + 1..].as_bstr()),
        None => (name, "raw".into()),
    }
}

/// Lets the dialplan know the name of what is being recorded.
fn note_file(call: &mut Call) {
    let Some(file) = call.channel.recorded_file().map(ToOwned::to_owned) else { return };
    if let Some(pbx) = call.pbx_mut() {
        pbx.set_variable("RECORDED_FILE", &file);
    }
}

fn not_recorded(file: BString) -> Outcome {
    Outcome::Recorded(Recorded { status: "ERROR".into(), file })
}

/// The disk, or whoever reads, was too slow.
pub(super) fn warn_of_gaps(call: Option<&Call>, dropped: u64) {
    if dropped > 0 {
        let call_id = call.map(|call| tracing::field::display(&call.parties.call_id));
        tracing::warn!(
            call_id,
            samples = dropped,
            "a recording, or what a program heard, has gaps: the disk, or the program, was too slow"
        );
    }
}
