//! The dialplan's operations as verbs of a channel, and what came of those as outcomes.
//!
//! What concerns signalling or rooms is handed on to the switch as a [`Wish`]; everything else is
//! begun on the channel at once.

use std::time::Duration;

use bstr::{BStr, BString, ByteVec};
use diesis_dialplan::operation::{
    AnswerMedia, AudioFork, AudioSocket, AwaitSound, Bridge, BridgeWait, ConferenceEnd,
    ConferenceOrder, ControlEnd, ControlPlay, DetectMachine, DetectTalk, Dial, DialPlace,
    DialProgram, Digit as PlanDigit, DigitSet as PlanDigits, ForwardBy, HangupScope, Judged,
    MissingFile, MixMonitor, MonitorState, Operation, Originate, Outcome, Page, Park, Pickup,
    Record, Recorded, SendMessage, Sound,
};
use diesis_dialplan::videoshare::Ask;
use jiff::tz::TimeZone;

use super::{
    say::{self, Setting},
    tones::Tones,
};
use crate::{
    bridge::VisitEnd,
    channel::{
        Channel, ControlRequest, ControlledEnd, DigitSet, FileEnd, ListenRequest, MissingPrompt,
        OtherDigits, Outbox, PlayPart, PlayRequest, TaskOutcome,
    },
    clock::Now,
    config::MachineDetection,
    media::{Digit, MachineSettings, Noticed, PlayItem, Repeat, Signal, Utterance, Watch},
    printable::Printable,
    program::ProgramId,
    recording::RecordingId,
};

/// What the switch has to do for an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Answer; the operation ends when the channel has settled.
    Answer { wait_media: bool, delay: Duration },
    /// Send 180.
    Ring,
    /// Open early media.
    Progress,
    /// Send nothing more than the 100 that went out.
    Proceed,
    /// Refuse an unanswered call; on an answered one play the tone and wait.
    Refuse { refusal: Refusal, timeout: Option<Duration> },
    /// Play music until the caller hangs up or the time is over.
    Music { class: Option<BString>, duration: Option<Duration> },
    /// Play music beside whatever comes next.
    StartMusic { class: Option<BString> },
    /// Find out whether a machine has answered.
    DetectMachine(Box<DetectMachine>),
    /// Record the caller.
    Record(Box<Record>),
    /// Talk with a program.
    AudioSocket(Box<AudioSocket>),
    /// Let one hear beside what follows.
    AudioFork(Box<AudioFork>),
    /// Connect with one.
    DialProgram(Box<DialProgram>),
    /// Record both sides beside what follows.
    Monitor(Box<MixMonitor>),
    /// Call others and connect with the first that answers.
    Dial(Box<Dial>),
    /// Talk with another call.
    Bridge(Box<Bridge>),
    /// Join those whom another call talks with.
    BridgeAdd(BString),
    /// Wait in a holding bridge.
    BridgeWait(Box<BridgeWait>),
    /// Call many and speak to them.
    Page(Box<Page>),
    /// Enter a conference with a master, or leave it.
    VideoShare(Box<Ask>),
    /// Enter a conference room.
    Conference {
        room: BString,
        bridge_profile: Option<BString>,
        user_profile: Option<BString>,
        menu: Option<BString>,
    },
    /// Answer somebody else's call that rings.
    Pickup(Vec<Pickup>),
    /// Have the caller connect itself elsewhere.
    ForwardByCaller { number: BString, by: ForwardBy },
    /// Leave the call in a parking lot.
    Park(Box<Park>),
    /// Connect with a parked call.
    TakeParked { lot: Option<BString>, slot: Option<BString> },
    /// Something that concerns other calls, and is possible after the own one's end.
    Elsewhere(Elsewhere),
}

/// What a dialplan does to other calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    /// Place a call beside this one.
    Originate(Box<Originate>),
    /// End others, or this one.
    SoftHangup { channel: BString, scope: HangupScope },
    /// Send another to a place of the dialplan.
    Redirect { channel: BString, place: DialPlace },
    /// Send a text message.
    SendMessage(Box<SendMessage>),
    /// Do something to a conference.
    OrderConference(Box<ConferenceOrder>),
}

/// The two ways a dialplan refuses a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Busy,
    Congestion,
}

/// What became of an operation.
#[derive(Debug)]
pub(crate) enum Performed {
    /// The channel is on it; its outcome follows.
    Begun,
    /// It is over already.
    Over(Outcome),
    /// The switch has to do it.
    Wish(Wish),
}

/// Begins an operation.
pub(crate) fn perform(
    operation: Operation,
    channel: &mut Channel,
    tones: &mut Tones,
    zone: &TimeZone,
    at: Now,
    out: &mut Outbox,
) -> Performed {
    let now = at.instant;
    match operation {
        Operation::Answer { delay, media } => {
            Performed::Wish(Wish::Answer { wait_media: media == AnswerMedia::Wait, delay })
        }
        Operation::Ringing => Performed::Wish(Wish::Ring),
        Operation::Progress => Performed::Wish(Wish::Progress),
        Operation::Proceeding => Performed::Wish(Wish::Proceed),
        Operation::Busy { timeout } => {
            Performed::Wish(Wish::Refuse { refusal: Refusal::Busy, timeout })
        }
        Operation::Congestion { timeout } => {
            Performed::Wish(Wish::Refuse { refusal: Refusal::Congestion, timeout })
        }
        Operation::Conference { room, bridge_profile, user_profile, menu } => {
            Performed::Wish(Wish::Conference { room, bridge_profile, user_profile, menu })
        }
        Operation::Play { files, interrupt, missing, language } => {
            let request = PlayRequest {
                stop: digit_set(interrupt),
                others: OtherDigits::Drop,
                missing: match missing {
                    MissingFile::Skip => MissingPrompt::Skip,
                    MissingFile::Stop => MissingPrompt::Stop,
                },
                language,
                ..PlayRequest::named(files)
            };
            channel.play(request, None, now, out);
            Performed::Begun
        }
        Operation::Say { what, interrupt } => {
            let language = channel.language.as_ref();
            match say::prompts(&what, Setting { language, now: at.wall, zone }) {
                Ok(names) => {
                    let request = PlayRequest {
                        stop: digit_set(interrupt),
                        others: OtherDigits::Drop,
                        ..PlayRequest::named(names)
                    };
                    channel.play(request, None, now, out);
                    Performed::Begun
                }
                Err(error) => {
                    tracing::warn!(channel = %channel.id(), %error, "can not say this");
                    Performed::Over(Outcome::Failed)
                }
            }
        }
        Operation::WaitDigit { timeout } => {
            channel.wait_digit(timeout, now, out);
            Performed::Begun
        }
        Operation::Wait { duration } => {
            channel.wait(duration, OtherDigits::Drop, now, out);
            Performed::Begun
        }
        Operation::Echo => {
            channel.echo(out);
            Performed::Begun
        }
        Operation::Milliwatt => {
            let request = PlayRequest {
                others: OtherDigits::Drop,
                repeat: Repeat::Forever,
                ..PlayRequest::new(vec![PlayPart::Prompt(tones.milliwatt())])
            };
            channel.play(request, None, now, out);
            Performed::Begun
        }
        Operation::PlayTones { tones: name } => match tones.named(name.as_ref()) {
            Some(tone) => {
                channel.play_in_background(PlayItem::Tone(tone), out);
                Performed::Over(Outcome::Done)
            }
            None => Performed::Over(Outcome::Failed),
        },
        Operation::StopPlayTones => {
            channel.stop_background(out);
            Performed::Over(Outcome::Done)
        }
        Operation::SendDigits { digits, gap, duration } => {
            channel.send_digits(signals(digits.as_ref()), duration, gap, out);
            Performed::Begun
        }
        Operation::MusicOnHold { class, duration } => {
            Performed::Wish(Wish::Music { class, duration })
        }
        Operation::StartMusicOnHold { class } => Performed::Wish(Wish::StartMusic { class }),
        Operation::StopMusicOnHold => {
            channel.stop_music(out);
            Performed::Over(Outcome::Done)
        }
        Operation::ControlPlay(control) => {
            channel.control_play(control_play(*control), out);
            Performed::Begun
        }
        Operation::AwaitSound(wait) => {
            channel.listen(await_sound(&wait), now, out);
            Performed::Begun
        }
        Operation::DetectTalk(detect) => {
            channel.listen(detect_talk(*detect), now, out);
            Performed::Begun
        }
        Operation::DetectMachine(detect) => Performed::Wish(Wish::DetectMachine(detect)),
        Operation::Record(record) => Performed::Wish(Wish::Record(record)),
        Operation::AudioSocket(socket) => Performed::Wish(Wish::AudioSocket(socket)),
        Operation::AudioFork(fork) => Performed::Wish(Wish::AudioFork(fork)),
        Operation::StopAudioFork { id } => {
            match id.map(|id| ProgramId::parse(&id)) {
                Some(None) => tracing::warn!(channel = %channel.id(), "StopAudioFork: no such id"),
                Some(which @ Some(_)) => {
                    channel.stop_forks(which, out);
                }
                None => {
                    channel.stop_forks(None, out);
                }
            }
            Performed::Over(Outcome::Done)
        }
        Operation::DialProgram(dial) => Performed::Wish(Wish::DialProgram(dial)),
        Operation::MixMonitor(monitor) => Performed::Wish(Wish::Monitor(monitor)),
        Operation::StopMixMonitor { id } => {
            let named = id.map(|id| RecordingId::parse(&id));
            match named {
                Some(None) => tracing::warn!(channel = %channel.id(), "StopMixMonitor: no such id"),
                Some(which @ Some(_)) => channel.stop_monitors(which, out),
                None => channel.stop_monitors(None, out),
            }
            Performed::Over(Outcome::Done)
        }
        Operation::SetMonitors { state } => {
            channel.pause_monitors(state == MonitorState::Paused, out);
            Performed::Over(Outcome::Done)
        }
        Operation::Dial(dial) => Performed::Wish(Wish::Dial(dial)),
        Operation::Bridge(bridge) => Performed::Wish(Wish::Bridge(bridge)),
        Operation::BridgeWait(wait) => Performed::Wish(Wish::BridgeWait(wait)),
        Operation::VideoShare(ask) => Performed::Wish(Wish::VideoShare(ask)),
        Operation::Page(page) => Performed::Wish(Wish::Page(page)),
        Operation::OrderConference(order) => {
            Performed::Wish(Wish::Elsewhere(Elsewhere::OrderConference(order)))
        }
        Operation::BridgeAdd { channel } => Performed::Wish(Wish::BridgeAdd(channel)),
        Operation::Originate(originate) => {
            Performed::Wish(Wish::Elsewhere(Elsewhere::Originate(originate)))
        }
        Operation::SoftHangup { channel, scope } => {
            Performed::Wish(Wish::Elsewhere(Elsewhere::SoftHangup { channel, scope }))
        }
        Operation::Redirect { channel, context, extension, priority } => {
            let place = DialPlace { context, extension, priority };
            Performed::Wish(Wish::Elsewhere(Elsewhere::Redirect { channel, place }))
        }
        Operation::Park(park) => Performed::Wish(Wish::Park(park)),
        Operation::ParkedCall { lot, slot } => Performed::Wish(Wish::TakeParked { lot, slot }),
        Operation::ForwardByCaller { number, by } => {
            Performed::Wish(Wish::ForwardByCaller { number, by })
        }
        Operation::Pickup { whose } => Performed::Wish(Wish::Pickup(whose)),
        Operation::SendMessage(send) => {
            Performed::Wish(Wish::Elsewhere(Elsewhere::SendMessage(send)))
        }
        operation => unavailable(&operation),
    }
}

fn control_play(control: ControlPlay) -> ControlRequest {
    let ControlPlay { file, offset, skip, forward, rewind, restart, pause, stop } = control;
    ControlRequest {
        file,
        offset,
        skip,
        forward: digit_set(forward),
        rewind: digit_set(rewind),
        restart: digit_set(restart),
        pause: digit_set(pause),
        stop: digit_set(stop),
    }
}

fn controlled(end: ControlledEnd) -> Outcome {
    match end {
        ControlledEnd::Completed => Outcome::Controlled(ControlEnd::Completed),
        ControlledEnd::Stopped { digit, at } => match plan_digit(digit) {
            Some(digit) => Outcome::Controlled(ControlEnd::Stopped { digit, at }),
            None => Outcome::Controlled(ControlEnd::Completed),
        },
        ControlledEnd::Missing => Outcome::Failed,
    }
}

fn await_sound(wait: &AwaitSound) -> ListenRequest {
    let watch = match wait.sound {
        Sound::Silence => Watch::silence(wait.length, wait.times),
        Sound::Noise => Watch::noise(wait.length, wait.times),
        Sound::Beep => Watch::beep(wait.length),
    };
    ListenRequest {
        watch,
        timeout: wait.timeout,
        files: Vec::new(),
        file_end: FileEnd::GoesOn,
        stop: DigitSet::NONE,
    }
}

fn detect_talk(detect: DetectTalk) -> ListenRequest {
    let DetectTalk { files, interrupt, silence, shortest, longest, within } = detect;
    ListenRequest {
        watch: Watch::utterance(Utterance { silence, shortest, longest, within }),
        timeout: None,
        files,
        file_end: FileEnd::Ends,
        stop: digit_set(interrupt),
    }
}

/// What AMD listens for: what its arguments say, and the rest as `amd.conf` has it.
pub(crate) fn detect_machine(detect: DetectMachine, known: &MachineDetection) -> ListenRequest {
    let MachineDetection { settings, file } = known;
    let settings = MachineSettings {
        initial_silence: detect.initial_silence.unwrap_or(settings.initial_silence),
        greeting: detect.greeting.unwrap_or(settings.greeting),
        after_greeting_silence: detect
            .after_greeting_silence
            .unwrap_or(settings.after_greeting_silence),
        total_analysis_time: detect.total_analysis_time.unwrap_or(settings.total_analysis_time),
        minimum_word_length: detect.minimum_word_length.unwrap_or(settings.minimum_word_length),
        between_words_silence: detect
            .between_words_silence
            .unwrap_or(settings.between_words_silence),
        maximum_number_of_words: detect
            .maximum_number_of_words
            .unwrap_or(settings.maximum_number_of_words),
        silence_threshold: detect.silence_threshold.unwrap_or(settings.silence_threshold),
        maximum_word_length: detect.maximum_word_length.unwrap_or(settings.maximum_word_length),
    };
    ListenRequest {
        watch: Watch::machine(settings),
        timeout: None,
        files: detect.file.or_else(|| file.clone()).into_iter().collect(),
        file_end: FileEnd::GoesOn,
        stop: DigitSet::NONE,
    }
}

fn noticed(what: Noticed) -> Outcome {
    match what {
        Noticed::Enough | Noticed::TalkStarted => Outcome::Done,
        Noticed::TalkStopped { talked } | Noticed::Utterance { talked } => Outcome::Talked(talked),
        Noticed::Judged(judgement) => Outcome::Judged(Judged {
            status: judgement.answerer().as_str().into(),
            cause: judgement.to_string().into(),
        }),
    }
}

/// How a visit to a room ended, in the dialplan's words.
pub(crate) fn left_room(end: VisitEnd) -> Outcome {
    Outcome::Conference(match end {
        VisitEnd::Refused => ConferenceEnd::Failed,
        VisitEnd::EndMarked => ConferenceEnd::EndMarked,
        VisitEnd::Left | VisitEnd::Kicked => ConferenceEnd::Kicked,
        VisitEnd::LeftByKey => ConferenceEnd::Dtmf,
        VisitEnd::TimedOut => ConferenceEnd::TimedOut,
    })
}

/// What came of a channel's task, in the dialplan's words.
pub(crate) fn outcome(of: TaskOutcome) -> Outcome {
    match of {
        TaskOutcome::Done => Outcome::Done,
        TaskOutcome::Digit(digit) => plan_digit(digit).map_or(Outcome::Done, Outcome::Digit),
        TaskOutcome::TimedOut => Outcome::TimedOut,
        TaskOutcome::Missing(_) => Outcome::Failed,
        TaskOutcome::Digits { .. } => Outcome::Done,
        TaskOutcome::Monitoring { id, file } => Outcome::Monitoring {
            id: id.number().to_string().into(),
            file: Vec::from_path_lossy(&file).into_owned().into(),
        },
        TaskOutcome::Recorded { end, file } => {
            Outcome::Recorded(Recorded { status: end.as_str().into(), file })
        }
        TaskOutcome::Noticed(what) => noticed(what),
        TaskOutcome::Controlled(end) => controlled(end),
        TaskOutcome::Failed(why) => {
            tracing::debug!(why, "operation failed");
            Outcome::Failed
        }
    }
}

/// Named in the log, so that an operator sees why the call ended or went on.
fn unavailable(operation: &Operation) -> Performed {
    let name = match operation {
        Operation::Application { name, .. } => {
            tracing::error!(application = %Printable(name), "no such application: the call ends");
            return Performed::Over(Outcome::Unsupported);
        }
        _ => "this operation",
    };
    tracing::error!("{name} is not available in this engine: the call ends");
    Performed::Over(Outcome::Unsupported)
}

pub(crate) fn digit_set(digits: PlanDigits) -> DigitSet {
    let all = (0..16).filter_map(Digit::from_event);
    all.filter(|digit| plan_digit(*digit).is_some_and(|d| digits.contains(d))).collect()
}

fn plan_digit(digit: Digit) -> Option<PlanDigit> {
    PlanDigit::new(digit.as_char() as u8)
}

/// Digits with `w` for half a second and `W` for a second of pause; other bytes are skipped.
pub(crate) fn signals(digits: &BStr) -> Vec<Signal> {
    let signal = |byte: &u8| match byte {
        b'w' => Some(Signal::Pause(Duration::from_millis(500))),
        b'W' => Some(Signal::Pause(Duration::from_secs(1))),
        byte => Digit::from_char(char::from(*byte)).map(Signal::Digit),
    };
    digits.iter().filter_map(signal).take(MOST_SIGNALS).collect()
}

/// Digits sent by one SendDTMF; more would occupy the stream for a minute and longer.
const MOST_SIGNALS: usize = 256;
