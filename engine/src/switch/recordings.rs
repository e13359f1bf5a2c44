//! Recordings that a dialplan asks for: where they lie, who is told what becomes of them.

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::operation::{Outcome, Record, Recorded};

use super::{Switch, SwitchEvent, call::Call, plan::resume};
use crate::{
    channel::{Ending, RecordRequest},
    clock::Now,
    media::{Digit, TapId},
    pbx::perform,
    printable::Printable,
    recording::{
        Base, Existing, Fate, FileFormat, NewFile, RecordingNews, RecordingRequest, Track,
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
        if let Some(call) = self.outbox.recorder(&news) {
            self.with_call(call, now, |switch, call| switch.take_recording_news(call, news, now));
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
        if call.channel.stream().is_none()
            && let Err(error) = self.progress(call, now)
        {
            tracing::debug!(call_id = %call.parties.call_id, ?error, "no early media");
        }
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

    /// The file of a name and a format, with one track.
    fn new_file(&self, name: &BStr, format: &BStr, base: Base) -> Result<NewFile, String> {
        let stored = FileFormat::from_extension(format)
            .map_err(|error| format!("format {}: {error}", Printable(format)))?;
        let mut file = name.to_owned();
        file.push(b'.');
        file.extend_from_slice(format);
        let path = self.config.recordings.place(&file, base).map_err(|error| error.to_string())?;
        Ok(NewFile { path, format: stored, track: Track::Mixed, existing: Existing::Replaced })
    }

    /// A listener to a call's stream is gone.
    pub(super) fn tap_ended(&mut self, call: &mut Call, tap: TapId, dropped: u64) {
        if call.channel.handle_tap_ended(tap) {
            return self.tell(SwitchEvent::RecordingStopped { call: call.id, dropped });
        }
        warn_of_gaps(Some(call), dropped);
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
        tracing::warn!(call_id, samples = dropped, "a recording has gaps: the disk was too slow");
    }
}
