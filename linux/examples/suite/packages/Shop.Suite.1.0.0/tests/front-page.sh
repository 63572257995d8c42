wget -q -O - '#{Site.Url}/' | grep -q '#{Octopus.Environment.Name}'
