//! Calls as a peer on the wire hears them: phones of our own on real sockets against an engine.
//!
//! Nothing here depends on how fast the machine is: what an engine could not do in time it leaves out
//! where anybody can see it, and the claims are about what came.

mod media {
    mod conference;
    mod continuity;
    mod figures;
    mod hostile;
    mod keys;
    mod machines;
    mod network;
    mod quality;
}
