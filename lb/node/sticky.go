package node

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"time"

	"tripod/region"
)

// The names of AWS's cookies: of a target, the same for requests of other origins, of a target by the application's own
// cookie, and of a target group.
const (
	targetCookie      = "AWSALB"
	targetCookieCORS  = "AWSALBCORS"
	applicationCookie = "AWSALBAPP-0"
	classicCookie     = "AWSELB"
	groupCookie       = "AWSALBTG"
	groupCookieCORS   = "AWSALBTGCORS"
)

// cookieNames are the names of the cookies of a target, by the type of stickiness and of the load balancer.
func (x *exchange) cookieNames() (names []string, duration int, ours bool) {
	p := x.pool
	if p.attribute("stickiness.enabled") != "true" {
		return nil, 0, false
	}
	classic := x.carried.balancer.Type == region.ClassicBalancer
	if p.attribute("stickiness.type") == "app_cookie" {
		duration, _ = strconv.Atoi(p.attribute("stickiness.app_cookie.duration_seconds"))
		if classic {
			return []string{classicCookie}, 0, false
		}
		return []string{applicationCookie}, duration, false
	}
	duration, _ = strconv.Atoi(p.attribute("stickiness.lb_cookie.duration_seconds"))
	if classic {
		return []string{classicCookie}, duration, true
	}
	return []string{targetCookie, targetCookieCORS}, duration, true
}

// stickyTarget is what the request's cookie stands for; empty: it has none that counts.
func (x *exchange) stickyTarget(r *http.Request) string {
	names, _, _ := x.cookieNames()
	for _, name := range names {
		if c, err := r.Cookie(name); err == nil {
			return c.Value
		}
	}
	return ""
}

// stickyGroup is the ARN of the group that the request's cookie stands for, if it is one of the action's.
func stickyGroup(a *region.ForwardAction, r *http.Request) string {
	if a.StickySeconds == 0 {
		return ""
	}
	for _, name := range []string{groupCookie, groupCookieCORS} {
		c, err := r.Cookie(name)
		if err != nil {
			continue
		}
		i := slices.IndexFunc(a.Groups, func(g region.WeightedGroup) bool { return groupToken(g.TargetGroup) == c.Value })
		if i >= 0 {
			return a.Groups[i].TargetGroup
		}
	}
	return ""
}

func groupToken(arn string) string {
	sum := sha256.Sum256([]byte(arn))
	return hex.EncodeToString(sum[:12])
}

// stick gives the client the cookies that bring it back to its target and its group, and adds the listener's headers.
func (x *exchange) stick(response *http.Response) {
	x.addHeaders(response.Header)
	if x.carried.nameless {
		response.Header.Del("Server")
	}
	now := x.door.node.options.Now()
	give := func(name, value string, seconds int) {
		c := http.Cookie{Name: name, Value: value, Path: "/"}
		if seconds > 0 {
			c.Expires = now.Add(time.Duration(seconds) * time.Second)
		}
		if name == targetCookieCORS || name == groupCookieCORS {
			c.SameSite, c.Secure = http.SameSiteNoneMode, true
		}
		response.Header.Add("Set-Cookie", c.String())
	}
	if x.forward.StickySeconds > 0 {
		give(groupCookie, groupToken(x.group), x.forward.StickySeconds)
		give(groupCookieCORS, groupToken(x.group), x.forward.StickySeconds)
	}
	names, seconds, ours := x.cookieNames()
	if len(names) == 0 || !ours && !slices.ContainsFunc(response.Cookies(), func(c *http.Cookie) bool {
		return c.Name == x.pool.attribute("stickiness.app_cookie.cookie_name")
	}) {
		return
	}
	for _, name := range names {
		give(name, x.member.token, seconds)
	}
}
