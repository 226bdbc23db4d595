//! `just cluster`: a whole deployment on this machine, until it is told to stop.

use std::{io, path::PathBuf};
use testbed::cluster::Cluster;

fn main() {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(binary), Some(folder)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: cluster TRIALSEAL FOLDER");
        std::process::exit(64);
    };
    eprintln!("starting PostgreSQL, Redis, an S3-compatible store and the services; the first time may install them");
    let cluster = Cluster::start(&binary, &folder);
    println!("the cluster is up: endpoints, policy, keys, certificates and logs are in {}", folder.display());
    for member in cluster.members.values() {
        println!("  {:<18} https://{}", member.name, member.address);
    }
    println!("try:  trialseal demo --cluster {}", folder.display());
    println!("stop with Enter");
    let _end_of_input = io::stdin().read_line(&mut String::new());
}
