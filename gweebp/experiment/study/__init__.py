"""The study on which the verdicts rest: many people, several trainings, outcomes of single trials kept in data/study.

Each training of a network is one replication of the whole experiment. It is tested on people of its own, drawn for it
alone, and all replications share the gallery, the training people and the recipe.

    people     the test people of a dataset and their gallery
    trials     the triplets and quadruplets that one training plays
    playing    maps of some methods on them, both games, scores against the truth
    outcomes   what is kept of a single trial, and how the claims read it
    budget     how many masks a black-box method gets, by a rule that looks at no game
"""
