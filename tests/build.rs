//! The server's side of KurrentDB's protocol, from the files that its client ships.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "kurrentdb")]
    kurrentdb::generate()?;
    Ok(())
}

#[cfg(feature = "kurrentdb")]
mod kurrentdb {
    use std::{env, error::Error, path::PathBuf, process::Command};

    pub(crate) fn generate() -> Result<(), Box<dyn Error>> {
        let protocol = client_sources()?.join("protos");
        let files = protox::compile(["streams.proto", "serverfeatures.proto"], [&protocol])?;
        tonic_build::configure().build_client(false).bytes(["."]).include_file("kurrentdb.rs").compile_fds(files)?;
        Ok(())
    }

    /// Where cargo keeps the client's crate.
    fn client_sources() -> Result<PathBuf, Box<dyn Error>> {
        let output = Command::new(env::var("CARGO")?)
            .args(["metadata", "--format-version", "1", "--offline", "--features", "kurrentdb"])
            .output()?;
        let metadata = String::from_utf8(output.stdout)?;
        let manifest = metadata
            .split("\"manifest_path\":\"")
            .filter_map(|rest| rest.split('"').next())
            .find(|path| path.contains("/eventstore-4."))
            .ok_or("cargo knows no eventstore 4")?;
        Ok(PathBuf::from(manifest).parent().ok_or("a manifest without a folder")?.to_owned())
    }
}
