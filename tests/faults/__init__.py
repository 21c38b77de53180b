"""What breaks: killed processes, damaged files, full disks, lost servers."""
