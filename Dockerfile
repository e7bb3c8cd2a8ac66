# The book in a box, on the CPU: `docker build --tag gweebp .`, then
#   docker run --volume "$PWD/_build:/gweebp/_build" gweebp                          the book, into ./_build
#   docker run --volume "$PWD/_build:/gweebp/_build" gweebp make pdf PROFILE=smoke
FROM python:3.12-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends chromium git make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /gweebp

# what the installation reads comes first, so that a changed chapter does not install anew
COPY Makefile pyproject.toml requirements.txt README.md LICENSE ./
COPY book/workflow/lock.py book/workflow/
COPY gweebp gweebp
RUN make setup TORCH=cpu

COPY . .
RUN touch .venv/.set-up

CMD ["make", "book"]
