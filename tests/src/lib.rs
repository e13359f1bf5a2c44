//! Harness of the black-box suites: the real binary, real sockets, real peer programs.
//!
//! Every program started here is a child that is ended with its owner, by its own process id.
//! Every wait is bounded and ends when what is waited for happens.

pub mod baresip;
pub mod capture;
pub mod continuity;
pub mod engine;
pub mod fuzz;
pub mod hearing;
pub mod house;
pub mod kamailio;
pub mod keypad;
pub mod linphone;
pub mod loopback;
pub mod phone;
pub mod process;
pub mod rtp;
pub mod rtp_report;
pub mod scratch;
pub mod sip_client;
pub mod sipp;
pub mod virtual_media;
pub mod voice;
