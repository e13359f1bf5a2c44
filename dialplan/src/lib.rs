//! Asterisk's dialplan language: text to plan to steps. No I/O, no clock.
