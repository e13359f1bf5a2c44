//! `res_parking.conf`: where calls are left for others to take.

use std::ops::RangeInclusive;
use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::codes;
use super::keys;
use super::notes::Notes;
use super::setting::{Block, Setting};

/// One parking lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkingLot {
    /// The section's name. Park without a lot's name means `default`.
    pub name: BString,
    /// The extension that parks whoever is sent there (`parkext`). Default: none.
    pub extension: BString,
    /// The slots, which are extensions as well (`parkpos`). Default: 701-750.
    pub slots: RangeInclusive<u32>,
    /// Where `parkext` and the slots are (`context`). Default: `parkedcalls`.
    pub context: BString,
    /// How long a call waits (`parkingtime`). Default: 45 s.
    pub time: Duration,
    /// A call that nobody took rings at who parked it (`comebacktoorigin`). Default: yes.
    pub comes_back_to_origin: bool,
    /// How long it rings there (`comebackdialtime`). Default: 30 s.
    pub comeback_time: Duration,
    /// Where it goes otherwise (`comebackcontext`). Default: `parkedcallstimeout`.
    pub comeback_context: BString,
    /// Whether the next slot is given after the last (`findslot=next`), not the first free one.
    pub next_slot: bool,
    /// What who is parked hears (`parkedmusicclass`). Default: its own class.
    pub music: Option<BString>,
}

impl Default for ParkingLot {
    fn default() -> Self {
        Self {
            name: "default".into(),
            extension: BString::default(),
            slots: 701..=750,
            context: "parkedcalls".into(),
            time: Duration::from_secs(45),
            comes_back_to_origin: true,
            comeback_time: Duration::from_secs(30),
            comeback_context: "parkedcallstimeout".into(),
            next_slot: false,
            music: None,
        }
    }
}

/// Reads all sections of the file.
pub(super) fn read(sections: &[Block<'_>], notes: &mut Notes) -> Vec<ParkingLot> {
    let mut lots: Vec<ParkingLot> = Vec::new();
    for section in sections {
        if section.is("general") {
            section.each(&keys::PARKING_GENERAL, notes, |_, setting| setting.judge());
            continue;
        }
        let mut lot = ParkingLot { name: section.name().to_owned(), ..ParkingLot::default() };
        section.each(&keys::PARKING, notes, |name, setting| match name {
            b"parkext" => setting.text(&mut lot.extension),
            b"parkpos" => slots(&mut lot.slots, setting),
            b"context" => setting.text(&mut lot.context),
            b"parkingtime" => setting.seconds(&mut lot.time, 1..=86_400),
            b"comebacktoorigin" => setting.yes_no(&mut lot.comes_back_to_origin),
            b"comebackdialtime" => setting.seconds(&mut lot.comeback_time, 1..=3600),
            b"comebackcontext" => setting.text(&mut lot.comeback_context),
            b"findslot" => match setting.value().to_ascii_lowercase().as_slice() {
                b"first" => lot.next_slot = false,
                b"next" => lot.next_slot = true,
                _ => setting.invalid("`first` or `next`"),
            },
            b"parkedmusicclass" => setting.optional_text(&mut lot.music),
            _ => setting.judge(),
        });
        if lots.iter().any(|other| other.name == lot.name) {
            notes.warn(
                codes::VALUE_INVALID,
                section.header,
                format!("there is a parking lot [{}] already", lot.name),
                "this one is left out",
            );
            continue;
        }
        lots.push(lot);
    }
    if !lots.iter().any(|lot| lot.name == "default") {
        lots.push(ParkingLot::default());
    }
    lots
}

fn slots(slots: &mut RangeInclusive<u32>, setting: Setting<'_>) {
    let bounds = setting.value().to_str().ok().and_then(|text| {
        let (first, last) = text.split_once('-')?;
        Some((first.trim().parse::<u32>().ok()?, last.trim().parse::<u32>().ok()?))
    });
    match bounds {
        Some((first, last)) if first > 0 && first <= last && last - first < MOST_SLOTS => {
            *slots = first..=last;
        }
        _ => setting.invalid("two numbers such as 701-750, at most 1000 slots"),
    }
}

/// What the lots add to the dialplan.
pub(super) fn extensions(lots: &[ParkingLot]) -> Vec<u8> {
    let mut added = Vec::new();
    for lot in lots.iter().filter(|lot| !lot.extension.is_empty()) {
        let ParkingLot { name, extension, slots, context, .. } = lot;
        let mut line = |text: String| added.extend_from_slice(text.as_bytes());
        line(format!("\n[{context}]\nexten => {extension},1,Park({name})\n"));
        for slot in slots.clone() {
            line(format!("exten => {slot},1,ParkedCall({name},{slot})\n"));
        }
    }
    added
}

/// Slots of one lot: each is an extension.
const MOST_SLOTS: u32 = 1000;
