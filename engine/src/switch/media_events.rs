//! What media shards report, brought to the call it concerns.

use super::{
    EndedBy, Switch, SwitchEvent,
    call::{Call, FinalMedia, Phase},
    recordings::warn_of_gaps,
};
use crate::{
    channel::{Asker, Cause, DigitSource, Pressed, PromptReply},
    clock::Now,
    media::{Command as MediaCommand, Digit, Event, Noticed, ShardId, StreamId, StreamStatistics},
};

impl Switch {
    /// Takes one event of a shard.
    pub(super) fn take_media_event(&mut self, event: Event, now: Now) {
        match event {
            Event::PortReady { port } => self.ports.add(port),
            Event::OpenFailed { stream, reason } => {
                self.with_stream(stream, now, |switch, call| {
                    tracing::error!(call_id = %call.parties.call_id, %reason, "no media for this call");
                    switch.lose_stream(call);
                    switch.end(call, Cause::CONGESTION, EndedBy::Failure, now);
                });
            }
            Event::Opened { stream, statistics } => self.with_stream(stream, now, |_, call| {
                call.quality = Some(statistics);
            }),
            Event::Latched { stream, remote } => self.with_stream(stream, now, |switch, call| {
                tracing::debug!(call_id = %call.parties.call_id, %remote, "media source");
                call.channel.handle_latched(now.instant, &mut switch.outbox);
            }),
            Event::PlayFinished { stream, play, end, played } => {
                self.with_stream(stream, now, |switch, call| {
                    let end = (end, played);
                    call.channel.handle_play_finished(play, end, now.instant, &mut switch.outbox);
                });
            }
            Event::Digit { stream, digit, duration } => {
                self.with_stream(stream, now, |switch, call| {
                    tracing::debug!(call_id = %call.parties.call_id, %digit, ?duration, "digit in media");
                    let source = match call.session.listens_for_tones() {
                        true => DigitSource::Tone,
                        false => DigitSource::TelephoneEvent,
                    };
                    switch.hear_digit(call, digit, source, now);
                });
            }
            Event::DigitsSent { stream } => {
                self.with_stream(stream, now, |_, call| call.channel.handle_digits_sent());
            }
            Event::Closed { stream, statistics } => self.stream_closed(stream, statistics, now),
            Event::TapSilent { stream, tap } => self.with_stream(stream, now, |switch, call| {
                call.channel.handle_silence(tap, &mut switch.outbox);
            }),
            Event::Noticed { stream, watch, what } => {
                self.with_stream(stream, now, |switch, call| {
                    tracing::debug!(call_id = %call.parties.call_id, ?what, "heard");
                    let told = call.channel.handle_noticed(watch, what, &mut switch.outbox);
                    let call = call.id;
                    match told {
                        Some(Noticed::TalkStarted) => {
                            switch.tell(SwitchEvent::TalkStarted { call });
                        }
                        Some(Noticed::TalkStopped { talked }) => {
                            switch.tell(SwitchEvent::TalkStopped { call, talked });
                        }
                        Some(Noticed::Enough | Noticed::Utterance { .. } | Noticed::Judged(_))
                        | None => {}
                    }
                });
            }
            Event::TapEnded { stream, tap, dropped } => {
                self.with_stream(stream, now, |switch, call| switch.tap_ended(call, tap, dropped));
            }
            Event::RoomTapEnded { dropped, .. } => warn_of_gaps(None, dropped),
            Event::Idle { stream, silent_for } => self.with_stream(stream, now, |switch, call| {
                tracing::info!(call_id = %call.parties.call_id, ?silent_for, "no media from the far end");
                // The cause that Asterisk gives.
                switch.end(call, Cause::CHANNEL_UNAVAILABLE, EndedBy::Failure, now);
            }),
            Event::Talking { stream, talk } => self.with_stream(stream, now, |switch, call| {
                switch.tell_talking(call, talk);
            }),
            Event::PortsExhausted { shard } => {
                tracing::warn!(shard = shard.0, "no RTP port left: calls will be refused with 503");
            }
            Event::ShardStopped { shard } => self.lose_shard(shard, now),
            // What the switch asked for and assumes done: rooms and moves are ordered by the
            // commands themselves.
            Event::RoomPlayFinished { .. }
            | Event::Joined { .. }
            | Event::Left { .. }
            | Event::Moved { .. } => {}
        }
    }

    /// A command was not taken by its shard.
    pub(super) fn lose_command(&mut self, shard: ShardId, command: MediaCommand, now: Now) {
        match command {
            MediaCommand::Open { stream, port, .. } => {
                self.outbox.command(shard, MediaCommand::ReturnPort { port });
                self.with_stream(stream, now, |switch, call| {
                    switch.lose_stream(call);
                    switch.end(call, Cause::SWITCH_CONGESTION, EndedBy::Failure, now);
                });
            }
            command => {
                if let Some(stream) = command.stream() {
                    self.with_stream(stream, now, |switch, call| {
                        switch.end(call, Cause::SWITCH_CONGESTION, EndedBy::Failure, now);
                    });
                }
            }
        }
    }

    /// A prompt came for a channel or a room.
    pub(super) fn take_prompt(&mut self, reply: PromptReply, now: Now) {
        let PromptReply { id, prompt } = reply;
        match self.outbox.asker(id) {
            Some(Asker::Channel(channel)) => self.with_call(channel, now, |switch, call| {
                call.channel.handle_prompt(id, prompt, now.instant, &mut switch.outbox);
            }),
            Some(Asker::Room(part)) => self.take_announcement_part(part, prompt),
            None => {}
        }
    }

    /// A digit was pressed, by whichever method it came.
    pub(super) fn hear_digit(
        &mut self,
        call: &mut Call,
        digit: Digit,
        source: DigitSource,
        now: Now,
    ) {
        match call.channel.handle_digit(digit, source, now.instant, &mut self.outbox) {
            Pressed::Queued => {
                self.tell(SwitchEvent::DigitHeard { call: call.id, digit });
                self.followed.press(call.id, digit);
                self.change_music(call, digit);
                if self.press_in_room(call, digit, source, now)
                    || self.press_while_dialling(call, digit, now)
                    || self.press_in_bridge(call, digit, source, now)
                    || call.program.is_some()
                {
                    call.channel.forget_digits();
                }
            }
            Pressed::Duplicate => {
                tracing::debug!(call_id = %call.parties.call_id, %digit, "came by two methods");
            }
            Pressed::Full => {
                tracing::debug!(call_id = %call.parties.call_id, %digit, "too many unread digits");
            }
        }
    }

    /// A stream of this shard is gone.
    pub(super) fn forget_stream(&mut self, shard: ShardId, stream: StreamId) {
        self.streams.remove(&stream);
        self.ports.count_out(shard);
    }

    fn with_stream(&mut self, stream: StreamId, now: Now, act: impl FnOnce(&mut Self, &mut Call)) {
        if let Some(&call) = self.streams.get(&stream) {
            self.with_call(call, now, act);
        }
    }

    fn stream_closed(&mut self, stream: StreamId, statistics: Box<StreamStatistics>, now: Now) {
        self.with_stream(stream, now, |switch, call| {
            if let Some((shard, stream)) = call.opened.take() {
                switch.forget_stream(shard, stream);
            }
            match &mut call.phase {
                Phase::Down(ending) => {
                    if let Some(ledger) = &mut switch.ledger {
                        ledger.measured(call.id, &statistics);
                    }
                    ending.media = FinalMedia::Closed(statistics);
                }
                // Nobody asked for it: the call has no audio any more.
                Phase::Proceeding | Phase::Ringing | Phase::EarlyMedia | Phase::Up => {
                    call.channel.lose_stream(&mut switch.outbox);
                    switch.end(call, Cause::TEMPORARY_FAILURE, EndedBy::Failure, now);
                }
            }
        });
    }

    /// The call's stream never opened, or its shard ended.
    fn lose_stream(&mut self, call: &mut Call) {
        if let Some((shard, stream)) = call.opened.take() {
            self.forget_stream(shard, stream);
        }
        call.channel.lose_stream(&mut self.outbox);
        if let Phase::Down(ending) = &mut call.phase
            && ending.media == FinalMedia::Closing
        {
            ending.media = FinalMedia::None;
        }
    }

    fn lose_shard(&mut self, shard: ShardId, now: Now) {
        tracing::error!(shard = shard.0, "a media thread ended; its calls end");
        self.ports.lose(shard);
        let mut calls: Vec<_> = self.streams.values().copied().collect();
        calls.sort_unstable();
        for id in calls {
            self.with_call(id, now, |switch, call| {
                if call.opened.is_some_and(|(on, _)| on == shard) {
                    switch.lose_stream(call);
                    switch.end(call, Cause::TEMPORARY_FAILURE, EndedBy::Failure, now);
                }
                if call.port.as_ref().is_some_and(|port| port.shard == shard) {
                    call.port = None;
                }
            });
        }
    }
}
