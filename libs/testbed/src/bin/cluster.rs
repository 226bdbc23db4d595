//! `just cluster`: a whole deployment on this machine, until it is told to stop.

use std::{env, io, path::PathBuf};
use testbed::cluster::Cluster;

fn main() -> io::Result<()> {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: cluster FOLDER (`trialseal` must be in the same folder as this program)");
        std::process::exit(64);
    };
    let binary = env::current_exe()?.with_file_name("trialseal");
    eprintln!(
        "starting PostgreSQL, Redis, an S3-compatible store and the services; what is missing is installed first"
    );
    let cluster = Cluster::start(&binary, &folder);
    println!("the cluster is up: endpoints, policy, keys, certificates and logs are in {}", folder.display());
    for member in cluster.members.values() {
        println!("  {:<18} https://{}", member.name, member.address);
    }
    println!("tell the story on it:  just demo --cluster {}", folder.display());
    println!("stop with Enter");
    io::stdin().read_line(&mut String::new()).map(drop) // the end of the input also stops it
}
