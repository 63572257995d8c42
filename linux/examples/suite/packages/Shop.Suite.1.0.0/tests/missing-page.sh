! wget -q -O - '#{Site.Url}/no-such-page' 2>/dev/null
