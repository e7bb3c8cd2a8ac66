"""What every room needs: files read and written safely, records of runs, optional packages, colour to grey."""
