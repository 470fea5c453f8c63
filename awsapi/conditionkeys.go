package awsapi

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
)

// conditionKeys are the condition keys that every request has ("AWS global condition context keys" of the IAM user
// guide), and those of its tags. Who calls is the principal's to tell, and what is special about a service the
// service's.
func (s *server) conditionKeys(r *http.Request, params url.Values) iam.Keys {
	now := s.Now().UTC()
	keys := iam.Keys{
		"aws:currenttime":           {now.Format(time.RFC3339)},
		"aws:epochtime":             {strconv.FormatInt(now.Unix(), 10)},
		"aws:requestedregion":       {s.Region},
		"aws:securetransport":       {strconv.FormatBool(r.TLS != nil)},
		"aws:sourceip":              {s.sourceOf(r)},
		"aws:viaawsservice":         {"false"},
		"aws:principalisawsservice": {"false"},
	}
	for key, header := range map[string]string{"aws:useragent": "User-Agent", "aws:referer": "Referer"} {
		if values := r.Header.Values(header); len(values) > 0 {
			keys[key] = values[:1]
		}
	}
	return keys.With(operation.TagKeys(wire.QueryTags(params)))
}
