# The agent as an image: run it with the engine's socket mounted.
#
#   docker build -f linux/agent.Dockerfile -t dockwright/agent .
#   docker run -d --name dockwright --restart unless-stopped -p 10943:10943 \
#     -v /var/run/docker.sock:/var/run/docker.sock -v dockwright:/var/lib/dockwright dockwright/agent
#
# Published ports are seen from inside a container at the host's address, so say which that is:
#   --host 'unix:///var/run/docker.sock?address=172.17.0.1'
ARG BASE=docker.io/library/python:3.12-slim
FROM ${BASE} AS build
COPY . /source
RUN python3 -m venv /opt/dockwright && /opt/dockwright/bin/pip install --no-cache-dir /source

FROM ${BASE}
COPY --from=build /opt/dockwright /opt/dockwright
ENV PATH=/opt/dockwright/bin:$PATH DOCKWRIGHT_HOME=/var/lib/dockwright
VOLUME /var/lib/dockwright
EXPOSE 10943
ENTRYPOINT ["dockwright"]
CMD ["listen", "--address", "0.0.0.0:10943"]
