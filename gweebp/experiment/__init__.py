"""The study of the paper: training, the results of a build, scores, claims and checks; all that compares methods."""
