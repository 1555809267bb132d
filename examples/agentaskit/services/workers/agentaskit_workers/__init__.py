"""Workers: run the jobs that the orchestrator queues."""
