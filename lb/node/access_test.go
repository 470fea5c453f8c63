package node

import (
	"crypto/tls"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"tripod/region"
)

// fieldsOf are the fields of a line of an access log: those in quotation marks may have spaces.
func fieldsOf(line string) (fields []string) {
	for _, match := range regexp.MustCompile(`"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		fields = append(fields, match[1]+match[2])
	}
	return fields
}

func TestRequestsAreLoggedAsELBDoes(t *testing.T) {
	lines := make(chan string, 10)
	w := newWorldWith(t, func(o *Options) { o.Access = func(_ region.LoadBalancer, line string) { lines <- line } })
	w.server("10.0.0.1:80", named("one"))
	l := listener("HTTPS", 443, forward(webARN))
	l.Certificates, l.Shown = []string{"arn:aws:acm:us-east-1:1:certificate/1"}, []tls.Certificate{certificate(t, "web.test")}
	l.Rules = []region.ListenerRule{{Priority: 7, Conditions: []region.RuleCondition{{Field: "path-pattern", Values: []string{"/old"}}},
		Actions: []region.RuleAction{{Type: region.ActionRedirect, Redirect: &region.RedirectAction{Path: "/new", Status: 301}}}}}
	logged := Balancer{LoadBalancer: region.LoadBalancer{Name: "web", ARN: albARN, Type: region.ApplicationBalancer,
		Attributes: map[string]string{"access_logs.s3.enabled": "true"}}, Listeners: []Listener{l}}
	w.node.Apply(Config{Balancers: []Balancer{logged}, Groups: map[string]Group{webARN: group(nil, "10.0.0.1:80")}})
	w.await("10.0.0.1", region.TargetHealthy)
	get(t, w.client(443), "https://web.test/a?b=c", func(r *http.Request) { r.Header.Set("User-Agent", `x "y"`) })
	got := fieldsOf(<-lines)
	want := []string{"https", "20", "app/web/0123456789abcdef", "203.0.113.9:", "10.0.0.1:80", "0.", "0.", "0.", "200", "200", "", "",
		"GET https://web.test:443/a?b=c HTTP/1.1", `x \x22y\x22`, "TLS_AES_128_GCM_SHA256", "TLSv1.3", webARN, "Root=1-", "web.test",
		"arn:aws:acm:us-east-1:1:certificate/1", "0", "20", "forward", "-", "-", "10.0.0.1:80", "200", "-", "-", "TID_", "-", "-", "-"}
	if len(got) != len(want) {
		t.Fatalf("%d fields: %q", len(got), got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("field %d: got %q, want %q", i+1, got[i], want[i])
		}
	}
	get(t, w.client(443), "https://web.test/old", nil)
	got = fieldsOf(<-lines)
	for i, want := range map[int]string{4: "-", 5: "-1", 8: "301", 9: "-", 16: "-", 20: "7", 22: "redirect", 23: "https://web.test:443/new"} {
		if got[i] != want {
			t.Errorf("field %d of a redirect: got %q, want %q", i+1, got[i], want)
		}
	}
}

func TestCiphersHaveOpenSSLsNames(t *testing.T) {
	for id, want := range map[uint16]string{
		tls.TLS_AES_256_GCM_SHA384:                        "TLS_AES_256_GCM_SHA384",
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:         "ECDHE-RSA-AES128-GCM-SHA256",
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
		tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA:            "ECDHE-RSA-AES256-SHA",
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256:               "AES128-GCM-SHA256",
	} {
		if got := opensslCipher(id); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
