package node

import (
	"net/http"
	"net/netip"
	"testing"

	"tripod/region"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"/img/*", "/img/picture.jpg", true}, {"/img/*", "/img/", true}, {"/img/*", "/img", false}, {"*.example.com", "a.example.com", true},
		{"/a?c", "/abc", true}, {"/a?c", "/ac", false}, {"*", "", true}, {"", "", true}, {"**a**b", "xxaxxb", true},
		{"*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false}, {"/a\\*", "/a*", true}, {"/a\\*", "/ab", false}, {"/a\\?*", "/a?b", true},
	} {
		if got := matches(c.pattern, c.text); got != c.want {
			t.Errorf("%q, %q: got %v", c.pattern, c.text, got)
		}
	}
}

func TestConditions(t *testing.T) {
	r, err := http.NewRequest(http.MethodGet, "http://Shop.Example.com:8080/Img/a?version=V1&x=a%20b", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Add("User-Agent", "Mozilla/5.0")
	from := netip.MustParseAddr("203.0.113.9")
	for name, c := range map[string]struct {
		condition region.RuleCondition
		want      bool
	}{
		"host in any case":     {region.RuleCondition{Field: "host-header", Values: []string{"*.example.COM"}}, true},
		"another host":         {region.RuleCondition{Field: "host-header", Values: []string{"example.com"}}, false},
		"path":                 {region.RuleCondition{Field: "path-pattern", Values: []string{"/x", "/Img/*"}}, true},
		"path in another case": {region.RuleCondition{Field: "path-pattern", Values: []string{"/img/*"}}, false},
		"path by expression":   {region.RuleCondition{Field: "path-pattern", Regex: []string{"^/Img/[a-z]$"}}, true},
		"header":               {region.RuleCondition{Field: "http-header", Header: "user-agent", Values: []string{"mozilla*"}}, true},
		"no header":            {region.RuleCondition{Field: "http-header", Header: "X-None", Values: []string{"*"}}, false},
		"query":                {region.RuleCondition{Field: "query-string", Query: []region.QueryPair{{Key: "version", Value: "v1"}}}, true},
		"query of any key":     {region.RuleCondition{Field: "query-string", Query: []region.QueryPair{{Value: "a b"}}}, true},
		"another query":        {region.RuleCondition{Field: "query-string", Query: []region.QueryPair{{Key: "version", Value: "v2"}}}, false},
		"method":               {region.RuleCondition{Field: "http-request-method", Values: []string{"GET"}}, true},
		"another method":       {region.RuleCondition{Field: "http-request-method", Values: []string{"get"}}, false},
		"source":               {region.RuleCondition{Field: "source-ip", Values: []string{"203.0.113.0/24"}}, true},
		"another source":       {region.RuleCondition{Field: "source-ip", Values: []string{"10.0.0.0/8"}}, false},
	} {
		if got := holds(c.condition, r, from); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestRedirectKeepsWhatItDoesNotName(t *testing.T) {
	r, err := http.NewRequest(http.MethodGet, "http://shop.test:8080/a/b?c=d", nil)
	if err != nil {
		t.Fatal(err)
	}
	for want, a := range map[string]region.RedirectAction{
		"https://shop.test:443/a/b?c=d": {Protocol: "HTTPS", Port: "443", Host: "#{host}", Path: "/#{path}", Query: "#{query}"},
		"http://www.test:8080/x?c=d":    {Protocol: "#{protocol}", Port: "#{port}", Host: "www.test", Path: "/x", Query: "#{query}"},
	} {
		if got := redirection(a, r, "http", 8080); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestWeights(t *testing.T) {
	got := map[string]int{}
	for range 1000 {
		got[weighted([]region.WeightedGroup{{TargetGroup: "a", Weight: 9}, {TargetGroup: "b", Weight: 1}, {TargetGroup: "c"}})]++
	}
	if got["a"] < 800 || got["b"] < 40 || got["c"] > 0 {
		t.Errorf("got %v", got)
	}
	if got := weighted([]region.WeightedGroup{{TargetGroup: "a"}}); got != "a" {
		t.Errorf("got %q of one without a weight", got)
	}
	if got := weighted([]region.WeightedGroup{{TargetGroup: "a"}, {TargetGroup: "b"}}); got != "" {
		t.Errorf("got %q of two without weights", got)
	}
}
