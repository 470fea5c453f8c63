package iamapi_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

var marker = regexp.MustCompile(`<Marker>(.*)</Marker>`)

// Lists are read from the state a page at a time, and some of several tables one after the other: the pages together
// are the list.
func TestPagesAreTheWholeList(t *testing.T) {
	w := newWorld(t)
	own := "arn:aws:iam::" + account + ":policy/p1"
	err := w.Update(t.Context(), func(tx *state.Txn) error {
		for i := range 5 {
			user, err := iam.NewUser(zero{}, account, fmt.Sprintf("u%d", i), time.Now(), own)
			if err != nil {
				return err
			}
			user.Path, user.Groups = []string{"/a/", "/b/"}[i%2], []string{"g1", "g2"}
			region.Users.Put(tx, user.Name, user)
			role := fmt.Sprintf("r%d", i)
			region.Roles.Put(tx, role, region.Role{Name: role, Path: "/a/", Policies: []string{own}})
			group := fmt.Sprintf("g%d", i)
			region.Groups.Put(tx, group, region.Group{Name: group, Path: "/", Policies: []string{own}})
			policy := region.Policy{Name: fmt.Sprintf("p%d", i), Path: "/",
				ARN: fmt.Sprintf("arn:aws:iam::%s:policy/p%d", account, i)}
			region.Policies.Put(tx, policy.ARN, policy)
			profile := fmt.Sprintf("i%d", i)
			region.InstanceProfiles.Put(tx, profile,
				region.InstanceProfile{Name: profile, Path: "/", Role: []string{"r1", "r2"}[i%2]})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		action, element string
		params          []string
		want            int // at least
	}{
		{"ListUsers", "UserName", nil, 7},
		{"ListUsers", "UserName", []string{"PathPrefix", "/a/"}, 3},
		{"ListRoles", "RoleName", nil, 5},
		{"ListGroups", "GroupName", nil, 5},
		{"ListGroupsForUser", "GroupName", []string{"UserName", "u1"}, 2},
		{"GetGroup", "UserName", []string{"GroupName", "g2"}, 5},
		{"ListPolicies", "Arn", nil, 20},
		{"ListPolicies", "Arn", []string{"Scope", "Local"}, 5},
		{"ListPolicies", "Arn", []string{"Scope", "AWS"}, 15},
		{"ListPolicies", "Arn", []string{"OnlyAttached", "true"}, 2},
		{"ListEntitiesForPolicy", "(?:Group|Role|User)Name", []string{"PolicyArn", own}, 15},
		{"ListEntitiesForPolicy", "RoleName", []string{"PolicyArn", own, "EntityFilter", "Role"}, 5},
		{"ListInstanceProfiles", "InstanceProfileName", nil, 5},
		{"ListInstanceProfilesForRole", "InstanceProfileName", []string{"RoleName", "r1"}, 3},
	} {
		t.Run(fmt.Sprint(one.action, one.params), func(t *testing.T) {
			element := regexp.MustCompile("<" + one.element + ">(.*?)</" + one.element + ">")
			items := func(text string) (all []string) {
				for _, found := range element.FindAllStringSubmatch(text, -1) {
					all = append(all, found[1])
				}
				return all
			}
			whole := items(w.iam(w.admin, "", one.action, append(slices.Clone(one.params), "MaxItems", "1000")...))
			if len(whole) < one.want {
				t.Errorf("got %q, want %d at least", whole, one.want)
			}
			var pages []string
			params := append(slices.Clone(one.params), "MaxItems", "2")
			for {
				text := w.iam(w.admin, "", one.action, params...)
				page := items(text)
				pages = append(pages, page...)
				next := marker.FindStringSubmatch(text)
				if next == nil {
					break
				}
				if len(page) != 2 {
					t.Fatalf("a page that is not the last has %q", page)
				}
				params = append(slices.Clone(one.params), "MaxItems", "2", "Marker", next[1])
			}
			slices.Sort(pages) // one answer has its entities by kind, in another order than pages have the kinds
			slices.Sort(whole)
			if !slices.Equal(pages, whole) {
				t.Errorf("the pages are %q, the list is %q", pages, whole)
			}
		})
	}
}

// zero is a source of what has not to be random.
type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }
