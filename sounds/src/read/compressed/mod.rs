//! Compressed sound, and sound in containers: demuxed and decoded by `symphonia`, Opus by libopus.
//!
//! What the encoder added is cut off again: delay before the sound and padding after it, as the
//! container states them. Packets that can not be decoded are silence of the length of the one
//! before, so that what follows keeps its time. A panic of a demuxer or decoder, which are written
//! by others and read what anyone may have made, is an error and no more. See
//! docs/decisions/0051-compressed-sound-by-symphonia.md.

mod decoder;
mod edits;
pub(super) mod mpeg;
mod opus;
mod window;

use std::io::{self, Read, Seek};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader, Track};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::packet::Packet;
use symphonia::default::formats::{
    AdtsReader, CafReader, FlacReader, IsoMp4Reader, MkvReader, MpaReader, OggReader,
};

use self::decoder::{Decoder, Planes};
use self::window::Window;
use super::Spec;
use super::channels::{Channels, Value};
use super::source::{ReadError, Source};
use crate::error::SoundError;
use crate::format::Container;
use crate::rate::{Phase, RateConverter};
use crate::sound::{MAX_RATE, MIN_RATE};

/// Such a sound, decoded piece by piece.
pub(super) struct Compressed<'a> {
    demuxer: Box<dyn FormatReader + 'a>,
    container: Container,
    decoder: Decoder,
    track: u32,
    spec: Spec,
    trim: Trim,
    /// Frames of the present stream that were decoded, those that are cut off included.
    at: u64,
    /// What was decoded and not yet handed out.
    ready: Option<Piece>,
    /// The packet after that, where the last one has to be known as such.
    following: Option<Packet>,
    /// Frames of a usual packet.
    usual: usize,
    bridge: Option<Bridge>,
    /// Why nothing could be decoded so far, or that something was.
    first: First,
}

/// What is kept of one packet.
#[derive(Debug, Clone)]
enum Piece {
    Decoded(Range<usize>),
    /// It could not be decoded.
    Silence(usize),
}

#[derive(Debug)]
enum First {
    Awaited,
    Failed(String),
    Decoded,
}

/// What is cut off a stream, in frames since its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Trim {
    begin: u64,
    /// What the encoder added after the end. Behind it may follow another file.
    tail: Range<u64>,
    /// Whether each packet says what is to be cut off its end.
    by_packet: bool,
    /// What is cut off the last packet.
    last: u64,
    /// What all this is counted in, until a packet shows the rate of what is decoded.
    units: Option<u32>,
}

impl Trim {
    /// Counts in frames of this rate.
    fn settle(&mut self, rate: u32) {
        if let Some(units) = self.units.take()
            && units != rate
        {
            let scale = |it: u64| {
                let (it, units) = (u128::from(it), u128::from(units));
                u64::try_from((it * u128::from(rate) + units / 2) / units).unwrap_or(u64::MAX)
            };
            self.begin = scale(self.begin);
            self.last = scale(self.last);
            self.tail = scale(self.tail.start)..scale(self.tail.end);
        }
    }

    /// What is kept of a packet's frames.
    fn keep(&self, at: u64, frames: usize, packet_end: u64, last: bool) -> Range<usize> {
        let count = frames as u64;
        let begin = self.begin.saturating_sub(at).min(count);
        let mut end = count;
        if at < self.tail.end && at + count > self.tail.start {
            end = self.tail.start.saturating_sub(at);
        }
        if self.by_packet {
            end = end.min(count.saturating_sub(packet_end));
        }
        if last {
            end = end.min(count.saturating_sub(self.last));
        }
        begin as usize..end.max(begin) as usize
    }
}

/// From another rate that the sound changed to, back to that which it began with.
struct Bridge {
    rate: u32,
    converters: Vec<RateConverter>,
    mixed: Vec<Vec<f32>>,
}

impl<'a> Compressed<'a> {
    /// Opens the part of an input that holds such a file.
    pub(super) fn open(
        mut input: impl Read + Seek + Send + Sync + 'a,
        container: Container,
        part: Range<u64>,
    ) -> Result<Self, ReadError> {
        let name = container.name();
        let mut end = part.end;
        if matches!(container, Container::Mpeg | Container::Adts) {
            end = mpeg::end(&mut input, part.start, end)?;
        }
        let guided = !matches!(container, Container::Mpeg | Container::Adts | Container::Ogg);
        // Demuxers pass this over, and keep the input to themselves.
        let edits = match container {
            Container::Mp4 => {
                Trim { begin: edits::mp4_start(&mut input, part.start..end)?, ..Trim::default() }
            }
            Container::Matroska => {
                let discarded = edits::matroska(&mut input, part.start..end)?;
                let units = Some(NANOSECONDS);
                Trim { begin: discarded.begin, last: discarded.end, units, ..Trim::default() }
            }
            _ => Trim::default(),
        };
        let window = Window::new(input, part.start, end, guided)?;
        let mut demuxer = guarded(|| demuxer(window, container)).map_err(|it| it.told(name))?;
        let smpb = (container == Container::Mp4).then(|| smpb(&mut *demuxer)).flatten();
        let (track, parameters) = sound_track(&*demuxer, name)?;
        let decoder = Decoder::new(&parameters, name)?;
        let trim = smpb.unwrap_or_else(|| trim(track, &decoder, container, edits));
        let spec = Spec {
            rate: parameters.sample_rate.unwrap_or(0),
            channels: channels_of(&parameters),
            precision: decoder::precision(&parameters),
            coding: decoder::name(&parameters),
            frames: None,
        };
        let track = track.id;
        let mut this = Self {
            demuxer,
            container,
            decoder,
            track,
            spec,
            trim,
            at: 0,
            ready: None,
            following: None,
            usual: 0,
            bridge: None,
            first: First::Awaited,
        };
        // Headers lie: the first packet shows what it is.
        this.ready = this.advance()?;
        if let Some(Piece::Decoded(_)) = this.ready {
            let channels = this.decoder.planes().channels();
            this.spec.rate = this.decoder.rate();
            this.spec.channels = u16::try_from(channels).unwrap_or(u16::MAX);
        }
        check_rate(this.spec.rate)?;
        if this.spec.channels == 0 {
            return Err(SoundError::NoSound { container: name }.into());
        }
        Ok(this)
    }

    /// Appends the next samples to each wanted channel. Returns how many; 0 at the end.
    fn give(&mut self, wanted: Wanted, out: &mut [Vec<f32>]) -> Result<usize, ReadError> {
        let begin = out.first().map_or(0, Vec::len);
        let len = |out: &[Vec<f32>]| out.first().map_or(0, |it| it.len() - begin);
        while len(out) < PIECE {
            let piece = match self.ready.take() {
                Some(piece) => Some(piece),
                None => self.advance()?,
            };
            let Some(piece) = piece else {
                self.finish_bridge(out);
                break;
            };
            self.hand_out(piece, wanted, out)?;
        }
        Ok(len(out))
    }

    fn hand_out(
        &mut self,
        piece: Piece,
        wanted: Wanted,
        out: &mut [Vec<f32>],
    ) -> Result<(), ReadError> {
        let rate = match &piece {
            Piece::Decoded(_) => self.decoder.rate(),
            Piece::Silence(_) => self.bridge.as_ref().map_or(self.spec.rate, |it| it.rate),
        };
        if self.bridge.as_ref().map_or(self.spec.rate, |it| it.rate) != rate {
            check_rate(rate)?;
            self.finish_bridge(out);
            if rate != self.spec.rate {
                let converter = RateConverter::new(rate, self.spec.rate, Phase::Linear)?;
                let converters = vec![converter; out.len()];
                let mixed = vec![Vec::new(); out.len()];
                self.bridge = Some(Bridge { rate, converters, mixed });
            }
        }
        let Some(bridge) = &mut self.bridge else {
            mix(&self.decoder, piece, wanted, out);
            return Ok(());
        };
        bridge.mixed.iter_mut().for_each(Vec::clear);
        mix(&self.decoder, piece, wanted, &mut bridge.mixed);
        for ((converter, mixed), out) in
            bridge.converters.iter_mut().zip(&bridge.mixed).zip(out.iter_mut())
        {
            converter.convert(mixed, out);
        }
        Ok(())
    }

    fn finish_bridge(&mut self, out: &mut [Vec<f32>]) {
        if let Some(mut bridge) = self.bridge.take() {
            bridge.converters.iter_mut().zip(out).for_each(|(it, out)| it.finish(out));
        }
    }

    /// Decodes the next packet of which something is kept. `None` at the end.
    fn advance(&mut self) -> Result<Option<Piece>, ReadError> {
        loop {
            let packet = match self.following.take() {
                Some(packet) => Some(packet),
                None => self.next_packet()?,
            };
            let Some(packet) = packet else { break };
            if self.trim.last > 0 {
                self.following = self.next_packet()?;
            }
            let last = self.trim.last > 0 && self.following.is_none();
            let piece = self.decode(&packet, last)?;
            if piece.len() > 0 {
                return Ok(Some(piece));
            }
        }
        match std::mem::replace(&mut self.first, First::Decoded) {
            // Nothing at all of all that there was.
            First::Failed(reason) => {
                Err(SoundError::Damaged { what: self.spec.coding, reason }.into())
            }
            First::Awaited | First::Decoded => Ok(None),
        }
    }

    /// The next packet of the track.
    fn next_packet(&mut self) -> Result<Option<Packet>, ReadError> {
        let mut refused = 0;
        loop {
            match guarded(|| self.demuxer.next_packet()) {
                Ok(Some(packet)) if packet.track_id == self.track => return Ok(Some(packet)),
                Ok(Some(_)) => refused = 0,
                Ok(None) => return Ok(None),
                Err(Failure::Symphonia(Error::ResetRequired)) => self.begin_next_stream()?,
                // Cut off: what there was is what there is.
                Err(Failure::Symphonia(Error::IoError(error)))
                    if error.kind() == io::ErrorKind::UnexpectedEof =>
                {
                    return Ok(None);
                }
                Err(Failure::Symphonia(error)) if !is_of_system(&error) => {
                    self.failed(&error);
                    refused += 1;
                    if refused > MOST_REFUSED {
                        return Ok(None);
                    }
                }
                Err(failure) => return Err(failure.told(self.container.name())),
            }
        }
    }

    fn decode(&mut self, packet: &Packet, last: bool) -> Result<Piece, ReadError> {
        let frames = match guarded(|| self.decoder.decode(packet)) {
            Ok(()) => {
                let frames = self.decoder.planes().frames();
                self.trim.settle(self.decoder.rate());
                if frames > 0 {
                    self.usual = frames;
                    self.first = First::Decoded;
                }
                Some(frames)
            }
            Err(Failure::Panic) => return Err(Failure::Panic.told(self.spec.coding)),
            Err(Failure::Symphonia(error)) => {
                self.failed(&error);
                None
            }
        };
        let count = frames.unwrap_or(self.usual);
        let keep = self.trim.keep(self.at, count, packet.trim_end.get(), last);
        self.at += count as u64;
        Ok(match frames {
            Some(_) => Piece::Decoded(keep),
            None => Piece::Silence(keep.len()),
        })
    }

    fn failed(&mut self, error: &Error) {
        if matches!(self.first, First::Awaited) {
            self.first = First::Failed(error.to_string());
        }
    }

    /// Goes on with the next of several streams that follow each other.
    fn begin_next_stream(&mut self) -> Result<(), ReadError> {
        let name = self.container.name();
        let (track, parameters) = sound_track(&*self.demuxer, name)?;
        self.decoder = Decoder::new(&parameters, name)?;
        self.trim = trim(track, &self.decoder, self.container, Trim::default());
        self.track = track.id;
        self.at = 0;
        Ok(())
    }
}

impl Source for Compressed<'_> {
    fn spec(&self) -> Spec {
        self.spec
    }

    fn read(&mut self, frames: &mut Vec<f32>) -> Result<(), ReadError> {
        let mut planes = vec![Vec::new(); self.spec.channels.into()];
        let count = self.give(Wanted::All, &mut planes)?;
        frames.clear();
        frames.resize(count * planes.len(), 0.0);
        for (number, plane) in planes.iter().enumerate() {
            let out = frames.iter_mut().skip(number).step_by(planes.len());
            out.zip(plane).for_each(|(out, &it)| *out = it);
        }
        Ok(())
    }

    fn read_channels(
        &mut self,
        wanted: Channels,
        _: &mut Vec<f32>,
        out: &mut [Vec<f32>],
    ) -> Result<usize, ReadError> {
        self.give(Wanted::Mixed(wanted), out)
    }
}

/// Which channels are handed out.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Mixed(Channels),
    /// As many as the sound began with.
    All,
}

impl Wanted {
    fn take<S: Value>(self, planes: &[&[S]], out: &mut [Vec<f32>]) {
        match self {
            Self::Mixed(channels) => channels.mix_planes(planes, out),
            Self::All => {
                for (number, out) in (0..).zip(out) {
                    Channels::One(number).mix_planes(planes, std::slice::from_mut(out));
                }
            }
        }
    }
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Self::Decoded(range) => range.len(),
            Self::Silence(len) => *len,
        }
    }
}

fn mix(decoder: &Decoder, piece: Piece, wanted: Wanted, out: &mut [Vec<f32>]) {
    match piece {
        Piece::Silence(len) => out.iter_mut().for_each(|it| it.resize(it.len() + len, 0.0)),
        Piece::Decoded(range) => match decoder.planes() {
            Planes::Float(mut planes) => {
                planes.iter_mut().for_each(|it| *it = &it[range.clone()]);
                wanted.take(&planes, out);
            }
            Planes::Whole(mut planes) => {
                planes.iter_mut().for_each(|it| *it = &it[range.clone()]);
                wanted.take(&planes, out);
            }
        },
    }
}

/// Frames that are handed out at once, at least.
const PIECE: usize = 8192;

const NANOSECONDS: u32 = 1_000_000_000;

/// How often in a row a demuxer may refuse what comes next before that counts as the end.
const MOST_REFUSED: usize = 16;

fn demuxer<'a>(
    window: Window<impl Read + Seek + Send + Sync + 'a>,
    container: Container,
) -> symphonia::core::errors::Result<Box<dyn FormatReader + 'a>> {
    let mut stream = MediaSourceStream::new(Box::new(window), Default::default());
    let options = FormatOptions::default();
    Ok(match container {
        Container::Ogg => Box::new(OggReader::try_new(stream, options)?),
        Container::Flac => Box::new(FlacReader::try_new(stream, options)?),
        Container::Mpeg => Box::new(MpaReader::try_new(stream, options)?),
        Container::Adts => Box::new(AdtsReader::try_new(stream, options)?),
        Container::Caf => Box::new(CafReader::try_new(stream, options)?),
        Container::Matroska => Box::new(MkvReader::try_new(stream, options)?),
        Container::Mp4 => {
            // It expects to stand behind the size of the first atom.
            let mut size = [0; 4];
            stream.read_exact(&mut size)?;
            Box::new(IsoMp4Reader::try_new(stream, options)?)
        }
    })
}

/// The first track that is sound.
fn sound_track<'t>(
    demuxer: &'t dyn FormatReader,
    container: &'static str,
) -> Result<(&'t Track, AudioCodecParameters), SoundError> {
    let sound = |track: &'t Track| match &track.codec_params {
        Some(CodecParameters::Audio(parameters)) => Some((track, parameters.clone())),
        _ => None,
    };
    demuxer.tracks().iter().find_map(sound).ok_or(SoundError::NoSound { container })
}

fn channels_of(parameters: &AudioCodecParameters) -> u16 {
    let count = parameters.channels.as_ref().map_or(0, |it| it.count());
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// What the encoder added to a stream, as far as its container says.
fn trim(track: &Track, decoder: &Decoder, container: Container, edits: Trim) -> Trim {
    let mut trim = edits;
    match (container, decoder) {
        (Container::Ogg, Decoder::Opus(opus)) => {
            trim.begin = opus.pre_skip();
            trim.by_packet = true;
        }
        (Container::Mp4, _) => {
            trim.units = track.time_base.map(|it| it.denom.get());
            // Of a file in fragments it may be 0.
            if let Some(end) = track.duration.filter(|it| it.get() > trim.begin) {
                trim.tail = end.get()..u64::MAX;
            }
            // Opus says it in its own header, whatever the edit list says.
            if let Decoder::Opus(opus) = decoder
                && trim.begin == 0
            {
                trim.begin = opus.pre_skip();
            }
        }
        // Without a LAME tag its number of frames is a guess, and nothing is said of padding.
        (Container::Mpeg | Container::Caf, _) => {
            trim.begin = track.delay.unwrap_or(0).into();
            if let (Some(frames), Some(padding)) = (track.num_frames, track.padding) {
                let end = trim.begin.saturating_add(frames);
                trim.tail = end..end.saturating_add(padding.into());
            }
        }
        // Vorbis cuts off by itself what its packets tell.
        _ => {}
    }
    trim
}

/// What iTunes writes of it: delay, padding and length, in frames.
fn smpb(demuxer: &mut dyn FormatReader) -> Option<Trim> {
    let metadata = demuxer.metadata();
    let tags = &metadata.current()?.media.tags;
    let tag = tags.iter().find(|tag| tag.raw.key.ends_with("iTunSMPB"))?;
    let text = tag.raw.value.to_string();
    let mut numbers = text.split_ascii_whitespace().map(|it| u64::from_str_radix(it, 16).ok());
    let [_, begin, _, len] = [(); 4].map(|()| numbers.next().flatten());
    let (begin, len) = (begin?, len?);
    (len > 0).then(|| Trim { begin, tail: begin.saturating_add(len)..u64::MAX, ..Trim::default() })
}

fn check_rate(rate: u32) -> Result<(), SoundError> {
    if (MIN_RATE..=MAX_RATE).contains(&rate) {
        return Ok(());
    }
    Err(SoundError::UnsupportedRate { rate })
}

/// What can go wrong in code of others.
enum Failure {
    Symphonia(Error),
    Panic,
}

impl Failure {
    fn told(self, what: &'static str) -> ReadError {
        let reason = match self {
            Self::Symphonia(Error::IoError(error)) if error.raw_os_error().is_some() => {
                return error.into();
            }
            Self::Symphonia(error) => error.to_string(),
            Self::Panic => "its decoder gave up".to_owned(),
        };
        SoundError::Damaged { what, reason }.into()
    }
}

/// Errors of the disk have a number; those without are made by demuxers and mean the contents.
fn is_of_system(error: &Error) -> bool {
    matches!(error, Error::IoError(error) if error.raw_os_error().is_some())
}

fn guarded<T>(run: impl FnOnce() -> symphonia::core::errors::Result<T>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(done) => done.map_err(Failure::Symphonia),
        Err(_) => Err(Failure::Panic),
    }
}
