//! The binary `docket`.

fn main() -> std::process::ExitCode {
    docket_api::cli::main()
}
