//! Opening hours over real sockets: a guarded number, and a code that closes it.

use std::ops::ControlFlow::{Break, Continue};

use diesis_engine::switch::SwitchEvent;
use diesis_sounds::locate::Recording;
use diesis_sounds::prompts::Library;
use diesis_tests::house::House;
use diesis_tests::phone::{Offer, Phone};
use diesis_tests::voice::{Encoding, Voice};

const ENCODING: Encoding = Encoding::Pcmu;

/// Calls a number and listens to the end; whether the prompt was heard.
fn hears(house: &House, number: &str, name: &str) -> bool {
    let sound = Library::new().load(name, "en").expect("it is embedded").samples;
    let offer = Offer::of(&[ENCODING.format()]).with_events();
    let mut phone = Phone::call(house.address(), number, &offer);
    let mut voice = Voice::new(ENCODING, &[], 0x7a18);
    phone.run_until(1000, |phone, _| {
        phone.send(&voice.packet());
        if phone.has_ended() { Break(()) } else { Continue(()) }
    });
    assert!(phone.has_ended(), "the call to {number} ends");
    let found = Recording::new(&ENCODING.decode(phone.packets(0)), 8000).find(&sound, 0);
    found.is_some_and(|found| found.score > 0.9 && found.length == sound.len())
}

#[test]
fn sch_1_a_code_closes_a_number_to_all_who_call_it() {
    let plan = "exten => 100,1,Answer()\nsame => n,Playback(hello-world)\nsame => n,Hangup()";
    let schedules = "[house]\ntype=schedule\nopen=*\nclosed_sound=goodbye\nincoming=office/100\n\
                     code_closed=*32\ncode_back=*33\ncode_context=office\n";
    let mut house = House::start_with("allow=ulaw", plan, &[("schedules.conf", schedules)]);
    assert!(hears(&house, "100", "hello-world"), "it is open");
    assert!(hears(&house, "*32", "auth-thankyou"), "the code is confirmed");
    let closed = house.wait_for(|event| match event {
        SwitchEvent::ScheduleOverridden { name, standing, call } => {
            Some((name.to_string(), standing.is_some(), call.is_some()))
        }
        _ => None,
    });
    assert_eq!(closed, ("house".to_owned(), true, true));
    assert!(hears(&house, "100", "goodbye"), "it is closed");
    assert!(hears(&house, "*33", "auth-thankyou"));
    assert!(hears(&house, "100", "hello-world"), "it is open again");
}
