"""The doors: HTTP, live stream, worker, watcher, command line. They only assemble."""
