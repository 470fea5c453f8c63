package ingress

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
)

// prefix is that of the AWS Load Balancer Controller's annotations.
const prefix = "alb.ingress.kubernetes.io/"

// settings are annotations of an Ingress; those of a Service come first for what is a target group's.
type settings []map[string]string

func (s settings) text(name, missing string) string {
	for _, annotations := range s {
		if value, found := annotations[prefix+name]; found {
			return value
		}
	}
	return missing
}

// list is a comma-separated value.
func (s settings) list(name string) (all []string) {
	for part := range strings.SplitSeq(s.text(name, ""), ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

func (s settings) number(name string, missing int32) (int32, error) {
	text := s.text(name, "")
	if text == "" {
		return missing, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("failed to parse int32 annotation, %s%s: %s: %w", prefix, name, text, err)
	}
	return int32(n), nil
}

// pairs is a value such as a=b,c=d.
func (s settings) pairs(name string) (map[string]string, error) {
	all := map[string]string{}
	for _, part := range s.list(name) {
		key, value, found := strings.Cut(part, "=")
		if !found || strings.TrimSpace(key) == "" {
			return nil, fmt.Errorf("failed to parse stringMap annotation, %s%s: %s", prefix, name, s.text(name, ""))
		}
		all[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return all, nil
}

// decode reads a value in JSON, if there is one.
func (s settings) decode(name string, into any) (found bool, err error) {
	text := s.text(name, "")
	if text == "" {
		return false, nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return false, fmt.Errorf("failed to parse json annotation, %s%s: %s: %w", prefix, name, text, err)
	}
	return true, nil
}

// port is one that a listener has.
type port struct {
	Protocol string
	Port     int32
}

// ports are those that an Ingress asks for.
func (s settings) ports() (all []port, err error) {
	var given []map[string]int32
	found, err := s.decode("listen-ports", &given)
	if err != nil {
		return nil, err
	}
	if !found {
		if len(s.list("certificate-arn")) > 0 {
			return []port{{"HTTPS", 443}}, nil
		}
		return []port{{"HTTP", 80}}, nil
	}
	for _, entry := range given {
		for protocol, number := range entry {
			if protocol = strings.ToUpper(protocol); protocol != "HTTP" && protocol != "HTTPS" {
				return nil, fmt.Errorf("listen protocol must be HTTP or HTTPS: %s", protocol)
			}
			if number < 1 || number > 65535 {
				return nil, fmt.Errorf("listen port must be within [1, 65535]: %d", number)
			}
			all = append(all, port{protocol, number})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("empty listen-ports configuration: `%s`", s.text("listen-ports", ""))
	}
	return all, nil
}

// class is the class of Ingresses that are served here.
const class = "alb"

// isOurs says whether an Ingress is of the class, by its spec or by the annotation of before.
func isOurs(i *networkingv1.Ingress) bool {
	if named, found := i.Annotations["kubernetes.io/ingress.class"]; found {
		return named == class
	}
	return i.Spec.IngressClassName != nil && *i.Spec.IngressClassName == class
}

// group is what shares a load balancer: all Ingresses that name one, or a single one.
type group struct {
	name    string // of group.name; empty: a single Ingress'
	stack   string // the tag's value: the name, or NAMESPACE/NAME
	members []*networkingv1.Ingress
	// leaving are those that have its finalizer still: they are deleted, or of another group or class now.
	leaving []*networkingv1.Ingress
}

const (
	ownFinalizer   = "ingress.k8s.aws/resources"
	groupFinalizer = "group.ingress.k8s.aws/" // and the group's name
)

// finalizer keeps an Ingress until its load balancer is gone.
func (g group) finalizer() string {
	if g.name == "" {
		return ownFinalizer
	}
	return groupFinalizer + g.name
}

// finalizersOf are the Ingress' that are of this controller, or of the one it stands for.
func finalizersOf(i *networkingv1.Ingress) (own []string) {
	for _, f := range i.Finalizers {
		if f == ownFinalizer || strings.HasPrefix(f, groupFinalizer) {
			own = append(own, f)
		}
	}
	return own
}

// groupsOf sorts Ingresses into groups, in the order that their rules have: into that which they name, and into those
// that they have to leave yet.
func groupsOf(all []*networkingv1.Ingress) (groups []group) {
	byStack := map[string]*group{}
	of := func(i *networkingv1.Ingress, name string) *group {
		stack := name
		if name == "" {
			stack = i.Namespace + "/" + i.Name
		}
		if byStack[stack] == nil {
			byStack[stack] = &group{name: name, stack: stack}
		}
		return byStack[stack]
	}
	for _, i := range all {
		now := ""
		if isOurs(i) && i.DeletionTimestamp == nil {
			g := of(i, settings{i.Annotations}.text("group.name", ""))
			g.members, now = append(g.members, i), g.finalizer()
		}
		for _, f := range finalizersOf(i) {
			if f != now {
				name := ""
				if f != ownFinalizer {
					name = strings.TrimPrefix(f, groupFinalizer)
				}
				g := of(i, name)
				g.leaving = append(g.leaving, i)
			}
		}
	}
	for _, g := range byStack {
		slices.SortFunc(g.members, func(a, b *networkingv1.Ingress) int {
			first, _ := settings{a.Annotations}.number("group.order", 0)
			second, _ := settings{b.Annotations}.number("group.order", 0)
			if first != second {
				return int(first - second)
			}
			return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
		})
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b group) int { return strings.Compare(a.stack, b.stack) })
	return groups
}
