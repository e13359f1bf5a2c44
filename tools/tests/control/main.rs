//! A running engine over its control socket, as an operator does it.

mod calls;
mod campaign;
mod conference;
mod load;
mod log;
mod media;
mod orders;
mod recorded;
mod registrations;
mod reload;
mod restart;
mod rules;
mod running;
mod trace;
