//! `diesis` without a command: an engine with an embedded configuration that shows itself.

mod account;
mod configuration;
mod heard;
mod show;
mod text;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    path::Path,
    process::ExitCode,
};

use diesis_engine::{Engine, StartError, config::Configuration};

use crate::cli::Demo;
use account::Account;
use configuration::PhoneAccount;

/// Starts the engine, lets it show itself, and stays up.
pub(crate) async fn run(options: &Demo) -> ExitCode {
    let phones = match configuration::phones() {
        Ok(phones) => phones,
        Err(error) => return fail(&format!("no random numbers for passwords: {error}")),
    };
    let listen = SocketAddr::new(options.bind, options.port);
    let loaded = Configuration::load(&configuration::files(listen, &phones));
    let mut builder = Engine::builder()
        .configuration(loaded.configuration)
        .rtp_ports(options.rtp.clone())
        .trace_steps();
    if let Some(shards) = options.shards {
        builder = builder.shards(shards);
    }
    let engine = match builder.start().await {
        Ok(engine) => engine,
        Err(error) => return fail(&format!("{error}{}", way_out(&error))),
    };
    let bound = engine.sip_addresses().first().map_or(listen, |&(_, address)| address);
    println!("\u{2021} Diesis {} is up: SIP on {bound}, UDP and TCP.", env!("CARGO_PKG_VERSION"));
    println!("\nIt calls itself now, over SIP and RTP on loopback:\n");

    let mut account = Account::of(&engine);
    let shown = tokio::select! {
        shown = show_itself(options, bound, &phones, &mut account) => shown,
        () = crate::signals::wanted_to_stop() => {
            engine.stop().await;
            return ExitCode::FAILURE;
        }
    };
    if options.exit {
        engine.stop().await;
        return shown;
    }
    invite(reachable(bound), &phones);
    tokio::select! {
        () = account.go_on() => {}
        () = crate::signals::wanted_to_stop() => println!("\nHanging up and leaving."),
    }
    engine.stop().await;
    ExitCode::SUCCESS
}

async fn show_itself(
    options: &Demo,
    bound: SocketAddr,
    phones: &[PhoneAccount; 3],
    account: &mut Account,
) -> ExitCode {
    let in_temporary = std::env::temp_dir().join("diesis-heard.wav");
    let heard: &Path = options.heard.as_deref().unwrap_or(&in_temporary);
    let loopback = SocketAddr::new(on_this_machine(bound.ip()), bound.port());
    let ears = match show::show(account, loopback, phones, heard).await {
        Ok(ears) => ears,
        Err(error) => return fail(&format!("the call to itself failed: {error}")),
    };
    let mut all = true;
    for ear in &ears {
        match heard::report(ear) {
            Ok(all_of_it) => all &= all_of_it,
            Err(error) => {
                return fail(&format!("{} can not be read: {error}", ear.heard.display()));
            }
        }
    }
    if all { ExitCode::SUCCESS } else { fail("not everything that was said was heard") }
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

With baresip, one line; then just press keys, b hangs up, q quits (it needs a sound card):

    baresip -e '/uanew <sip:{name}@{address}>;auth_pass={password}' -e '/dial 8899'

With Linphone, in its console:

    linphonec
    ports sip 5062
    register sip:{name}@{address} sip:{address} {password}
    call 8899

Your own dialplan: diesis run -C /etc/asterisk      What is wrong with it: diesis check /etc/asterisk\n"
    );
}

/// An address that a phone can be told: the bound one, or ours on the network for a wildcard.
fn reachable(bound: SocketAddr) -> SocketAddr {
    if !bound.ip().is_unspecified() {
        return bound;
    }
    // Connecting a datagram socket sends nothing; it makes the kernel choose the address that
    // routes to elsewhere (here the addresses of RFC 5737 and RFC 3849, for documentation).
    let (any, elsewhere): (IpAddr, IpAddr) = match bound {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        SocketAddr::V6(_) => {
            (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into())
        }
    };
    let chosen = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((elsewhere, bound.port()))?;
        socket.local_addr()
    });
    let ip = chosen.map_or_else(|_| on_this_machine(bound.ip()), |address| address.ip());
    SocketAddr::new(ip, bound.port())
}

fn on_this_machine(bound: IpAddr) -> IpAddr {
    match bound {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// What to do about a start that failed.
fn way_out(error: &StartError) -> &'static str {
    match error {
        StartError::Bind { .. } => "\n        choose another port: --port 5070",
        StartError::Media(_) => "\n        choose other media ports: --rtp 30000-30999",
        _ => "",
    }
}

fn fail(reason: &str) -> ExitCode {
    eprintln!("diesis: {reason}");
    ExitCode::FAILURE
}
