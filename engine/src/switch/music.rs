//! Music on hold: which class a call hears, from `musiconhold.conf`, and which programs make some.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bstr::{BString, ByteSlice};

use super::{Switch, bridges::BridgeNews, call::Call};
use crate::{
    channel::{MusicSource, PlayOrder},
    config::{MusicClass, MusicOrder, MusicProgram, MusicSettings},
    media::{Digit, Live, LiveListener, Tone},
    printable::Printable,
};

/// Music that a program is to make. Whoever runs programs does so while `live` has listeners and is
/// not over, and looks at it whenever [`Switch::poll_music`] gives it out.
#[derive(Debug, Clone)]
pub struct MadeMusic {
    /// The class.
    pub class: BString,
    /// The program.
    pub program: Arc<MusicProgram>,
    /// Where its sound goes to.
    pub live: Arc<Live>,
    /// What is heard while the program can not be run.
    pub meanwhile: Arc<Tone>,
}

/// The music of programs that somebody heard since the settings were read.
#[derive(Debug, Default)]
pub(super) struct MusicPrograms {
    classes: BTreeMap<BString, MadeMusic>,
    /// Those to be looked at.
    changed: VecDeque<MadeMusic>,
}

impl MusicPrograms {
    /// Somebody who listens to a class from now on.
    fn listen(
        &mut self,
        class: &BString,
        program: &Arc<MusicProgram>,
        meanwhile: &Arc<Tone>,
    ) -> Box<LiveListener> {
        let made = self.classes.entry(class.clone()).or_insert_with(|| MadeMusic {
            class: class.clone(),
            program: Arc::clone(program),
            live: Arc::new(Live::new()),
            meanwhile: Arc::clone(meanwhile),
        });
        let is_first = made.live.listeners() == 0;
        let listener = Box::new(LiveListener::new(&made.live));
        if is_first {
            self.changed.push_back(made.clone());
        }
        listener
    }

    /// Ends the music of the classes that these settings do not have any more, or other than before.
    fn keep(&mut self, settings: &MusicSettings) {
        self.classes.retain(|name, made| {
            let class = settings.classes.get(name);
            let stays = class.and_then(|class| class.program.as_ref()) == Some(&made.program);
            if !stays {
                made.live.end();
                self.changed.push_back(made.clone());
            }
            stays
        });
    }
}

impl Switch {
    /// Music of a program that somebody begins to hear, or that is over.
    pub fn poll_music(&mut self) -> Option<MadeMusic> {
        self.music.changed.pop_front()
    }

    /// Other settings are in force.
    pub(super) fn review_music(&mut self) {
        self.music.keep(&self.config.music);
    }

    /// What a call tells its partner when it holds it.
    pub(super) fn holds(&self, call: &Call) -> BridgeNews {
        BridgeNews::Holds(self.music_suggested_by(call))
    }

    /// The class that whoever waits for this call hears, unless it has one of its own
    /// (`moh_suggest`).
    pub(super) fn music_suggested_by(&self, call: &Call) -> Option<BString> {
        self.peer_of(call)?.suggested_music.clone()
    }

    /// Lets a call hear music while it waits for another: of its own CHANNEL(musicclass), or what the
    /// other suggests.
    pub(super) fn start_suggested_music(&mut self, call: &mut Call, suggested: Option<BString>) {
        let has_own = call.pbx().is_some_and(|pbx| !pbx.channel().music_class.is_empty());
        self.start_music(call, suggested.filter(|_| !has_own));
    }

    /// A key that stands for a class changes the music of whoever hears some.
    pub(super) fn change_music(&mut self, call: &mut Call, digit: Digit) {
        if !call.channel.hears_music() {
            return;
        }
        let mut classes = self.config.music.classes.iter();
        let named = classes.find(|(_, class)| class.digit == Some(digit));
        if let Some(name) = named.map(|(name, _)| name.clone()) {
            self.start_music(call, Some(name));
        }
    }

    /// Lets a call hear music beside whatever it does: of this class, of its CHANNEL(musicclass), or
    /// of the class `default`; a quiet tone where there is no such class.
    pub(super) fn start_music(&mut self, call: &mut Call, class: Option<BString>) {
        let named = |name: &BString| !name.is_empty();
        let own = call.pbx().map(|pbx| pbx.channel().music_class.clone());
        let class =
            class.filter(named).or_else(|| own.filter(named)).unwrap_or_else(|| "default".into());
        let found = self.config.music.classes.get(class.as_bstr());
        let found = found.filter(|it| !it.files.is_empty() || it.program.is_some());
        let source = match found {
            Some(MusicClass { program: Some(program), .. }) => {
                let Some(tone) = self.tones.named(HOLD_TONE.into()) else { return };
                MusicSource::Live(self.music.listen(&class, program, &tone), tone)
            }
            Some(class) => {
                let order = match class.order {
                    MusicOrder::AnyFirst => {
                        PlayOrder::From(self.entropy.next_u64() as usize % class.files.len())
                    }
                    MusicOrder::Fixed => PlayOrder::From(0),
                    MusicOrder::Random => PlayOrder::Random(self.entropy.fork()),
                };
                let announcement = class.announcement.clone();
                MusicSource::Files { names: class.files.clone(), order, announcement }
            }
            None => {
                if class != "default" {
                    let class = Printable(&class);
                    tracing::warn!(call_id = %call.parties.call_id, %class, "no such music class: a tone is played");
                }
                let Some(tone) = self.tones.named(HOLD_TONE.into()) else { return };
                MusicSource::Tone(tone)
            }
        };
        call.channel.start_music(source, &mut self.outbox);
    }
}

/// What is heard without any music: a short note every five seconds says that the line is alive.
const HOLD_TONE: &str = "440/200,0/200,523/200,0/4400";
