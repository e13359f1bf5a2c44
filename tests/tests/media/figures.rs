//! What the engine says of a call's media is what happened to it.

use diesis_engine::switch::SwitchEvent;
use diesis_tests::house::House;
use diesis_tests::phone::{Offer, Phone};
use diesis_tests::voice::{Encoding, Voice};

/// A report block about what we sent, in a compound packet (RFC 3550 §6.4): how much was lost in all.
fn reported_loss(report: &[u8], of: u32) -> Option<u32> {
    let mut rest = report;
    while let Some((&[head, kind, high, low], _)) = rest.split_first_chunk() {
        let length = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
        let packet = rest.get(..length)?;
        let first = match kind {
            200 => 28,
            201 => 8,
            _ => length,
        };
        for block in packet[first..].chunks_exact(24).take(usize::from(head & 0x1f)) {
            if block[..4] == of.to_be_bytes() {
                return Some(u32::from_be_bytes([0, block[5], block[6], block[7]]));
            }
        }
        rest = &rest[length..];
    }
    None
}

#[test]
fn channel_record_and_reports_tell_the_loss_that_there_was() {
    let plan = "exten => 100,1,Answer()\nsame => n,Echo()\nsame => n,Wait(2)\n\
                same => n,NoOp(count ${CHANNEL(rtcp,rxcount)} ${CHANNEL(rtcp,rxploss)} \
                ${CHANNEL(rtcp,remote_ssrc)})\nsame => n,Hangup()\n";
    let mut house = House::start("allow=ulaw", plan);
    let mut phone =
        Phone::call(house.address(), "100", &Offer::of(&[Encoding::Pcmu.format()]).with_events());
    let mut voice = Voice::new(Encoding::Pcmu, &[1000; 80_000], 0x1234);
    // Of 500 packets, over two reports: each 20th lost, each 25th twice, each 30th overtaken.
    let (mut lost, mut overtaken) = (0, None);
    phone.run(500, |phone, frame| {
        let packet = voice.packet();
        if frame % 20 == 7 {
            lost += 1;
            return;
        }
        if frame % 30 == 11 {
            overtaken = Some(packet);
            return;
        }
        phone.send(&packet);
        overtaken.take().iter().for_each(|packet| phone.send(packet));
        if frame % 25 == 3 {
            phone.send(&packet);
        }
    });
    let response = phone.request("INFO", "application/dtmf", "#");
    assert!(response.starts_with("SIP/2.0 200"), "{response}");
    let (mut count, mut recorded) = (None, None);
    phone.run_until(1500, |phone, _| {
        house.drain(|event| match event {
            SwitchEvent::StepExecuted { arguments, .. } => {
                if let Some(rest) = arguments.strip_prefix(b"count ") {
                    count = Some(String::from_utf8_lossy(rest).into_owned());
                }
            }
            SwitchEvent::CallRecorded { record } => {
                let media = record.media.as_ref().expect("it had media");
                recorded = Some((media.received_packets, media.received_lost));
            }
            _ => {}
        });
        if phone.has_ended() && recorded.is_some() {
            std::ops::ControlFlow::Break(())
        } else {
            std::ops::ControlFlow::Continue(())
        }
    });
    let received = 500 - lost;
    assert_eq!(count.as_deref(), Some(format!("{received} {lost} {}", 0x1234).as_str()));
    let reported = phone.reports().iter().filter_map(|report| reported_loss(report, 0x1234));
    let reported: Vec<u32> = reported.collect();
    assert!(reported.is_sorted() && !reported.is_empty(), "{reported:?}");
    // The last report is five seconds younger than the end, at most: half of what was lost.
    assert!(reported.last().is_some_and(|&it| it <= lost && 2 * it >= lost), "{reported:?}");
    assert_eq!(recorded, Some((u64::from(received), u64::from(lost))));
}
