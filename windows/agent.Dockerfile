# escape=`
# The agent as a Windows image: run it with the engine's pipe mounted. The base must fit the host's build.
#
#   docker build -f windows/agent.Dockerfile -t dockwright/agent:ltsc2022 .
#   docker run -d --name dockwright --restart unless-stopped -p 10943:10943 `
#     -v \\.\pipe\docker_engine:\\.\pipe\docker_engine -v dockwright:C:\dockwright dockwright/agent:ltsc2022
ARG BASE=docker.io/library/python:3.12-windowsservercore-ltsc2022
FROM ${BASE} AS build
COPY . C:/source
RUN python -m venv C:\agent && C:\agent\Scripts\python -m pip install --no-cache-dir C:\source

FROM ${BASE}
COPY --from=build C:/agent C:/agent
ENV DOCKWRIGHT_HOME=C:\dockwright
# An account that may use the engine's pipe.
USER ContainerAdministrator
EXPOSE 10943
ENTRYPOINT ["C:\\agent\\Scripts\\python.exe", "-m", "agent.cli"]
CMD ["listen", "--address", "0.0.0.0:10943", "--host", "npipe://"]
