//! Applications that hand the audio to a program outside.

use bstr::BStr;

use crate::arguments::{split, strip};
use crate::executor::{Continuation, Flow, Run};
use crate::operation::{AudioSocket, Operation, PlaceOrigin, ProgramPlace, parse_uuid};

/// `AudioSocket(uuid,host:port)`.
pub(super) fn audio_socket(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let part = |at: usize| parts.get(at).map(|part| strip(part).to_vec()).unwrap_or_default();
    let (uuid, service) = (part(0), part(1));
    let Some(uuid) = parse_uuid(&uuid) else {
        run.scope.warn(format_args!("AudioSocket: '{}' is no UUID", BStr::new(&uuid)));
        return Flow::HangUp;
    };
    let origin = origin(run, &service);
    let Some(place) = ProgramPlace::parse(&service, origin) else {
        run.scope.warn(format_args!("AudioSocket: '{}' is not host:port", BStr::new(&service)));
        return Flow::HangUp;
    };
    let socket = AudioSocket { uuid, place };
    // Done goes on, a failure hangs up.
    Flow::Ask(Operation::AudioSocket(Box::new(socket)), Continuation::Hosted)
}

/// Whether an argument stands in the dialplan as it is.
pub(super) fn origin(run: &Run<'_>, text: &[u8]) -> PlaceOrigin {
    if run.is_written(text) { PlaceOrigin::Written } else { PlaceOrigin::Computed }
}
