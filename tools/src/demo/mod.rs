//! `diesis` without a command: an engine with an embedded configuration that shows itself.

mod account;
mod configuration;
mod heard;
mod show;
mod text;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitCode,
};

use diesis_engine::{Engine, config::Configuration};

use crate::cli::Demo;
use configuration::PhoneAccount;

/// Starts the engine, lets it show itself, and stays up.
pub(crate) async fn run(options: &Demo) -> ExitCode {
    let phones = match configuration::phones() {
        Ok(phones) => phones,
        Err(error) => return fail(&format!("no random numbers for passwords: {error}")),
    };
    let listen = SocketAddr::new(options.bind, options.port);
    let files = configuration::files(listen, &phones);
    let loaded = Configuration::load(&files);
    let mut builder = Engine::builder().configuration(loaded.configuration).trace_steps();
    if let Some(shards) = options.shards {
        builder = builder.shards(shards);
    }
    let engine = match builder.start().await {
        Ok(engine) => engine,
        Err(error) => return fail(&error.to_string()),
    };
    let address = reachable(&engine, listen);
    println!("\u{2021} Diesis {} is up: SIP at {address}, UDP and TCP.", env!("CARGO_PKG_VERSION"));
    println!("\nIt calls itself now, over SIP and RTP on loopback:\n");

    let heard = options.heard.clone();
    let heard = heard.unwrap_or_else(|| std::env::temp_dir().join("diesis-heard.wav"));
    let loopback = SocketAddr::new(loopback_of(address), address.port());
    let all_heard = match show::show(&engine, loopback, &phones, &heard).await {
        Ok(shown) => {
            let all = heard::report(&heard, &shown.played).unwrap_or_else(|error| {
                eprintln!("diesis: the recording can not be read: {error}");
                false
            });
            println!(
                "\n  Listen to it yourself: {} ({:.1} s)",
                heard.display(),
                shown.recorded.as_secs_f64()
            );
            all
        }
        Err(error) => {
            eprintln!("diesis: the call to itself failed: {error}");
            false
        }
    };
    if options.exit {
        engine.stop().await;
        return if all_heard { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    invite(address, &phones);
    crate::signals::wanted_to_stop().await;
    println!("\nHanging up and leaving.");
    engine.stop().await;
    ExitCode::SUCCESS
}

/// How to call the engine from a phone.
fn invite(address: SocketAddr, phones: &[PhoneAccount]) {
    let [phone, ..] = phones else { return };
    let PhoneAccount { name, password } = phone;
    println!("\nYour turn. It stays up until Ctrl-C. Accounts (registrar {address}):\n");
    for PhoneAccount { name, password } in phones {
        println!("    {name}   password {password}");
    }
    println!(
        "\nDial 8899 the menu (1 sub-menu, 2 conference, 3 echo, 4 number, 5 fran\u{e7}ais, 9 again, 0 end)
     8800 the conference, 8801-8898 rooms   601 echo   602 test tone   603 keys read back
     604 open or closed, by date and hour

With baresip, one line (its audio is your sound card's; type 8899 and Enter, then keys):

    baresip -e '/uanew <sip:{name}@{address}>;auth_pass={password}' -e '/dial 8899'

With Linphone, in its console:

    linphonec
    register sip:{name}@{address} sip:{address} {password}
    call 8899

Your own dialplan: diesis run -C /etc/asterisk      What is wrong with it: diesis check /etc/asterisk\n"
    );
}

/// An address that a phone can be told: the bound one, or ours on the network for a wildcard.
fn reachable(engine: &Engine, listen: SocketAddr) -> SocketAddr {
    engine.sip_addresses().first().map_or(listen, |&(_, address)| address)
}

fn loopback_of(address: SocketAddr) -> IpAddr {
    if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() }
}

fn fail(reason: &str) -> ExitCode {
    eprintln!("diesis: {reason}");
    ExitCode::FAILURE
}
