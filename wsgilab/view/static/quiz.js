// Keeps the score of the quiz in this browser: of each question, the answer that was opened first. Without a script the page can
// be answered too; nobody counts then.

const KEY = 'wsgilab.quiz';
const questions = [...document.querySelectorAll('[data-question]')];
let answers = {};
try {
  answers = JSON.parse(localStorage.getItem(KEY) ?? '{}') ?? {};
} catch {
  answers = {}; // a browser that keeps nothing, or something else under that name
}

const choices = (question) => [...question.querySelectorAll('.choice')];
const isRight = (question) => choices(question).some((choice) =>
  choice.dataset.letter === answers[question.dataset.question] && choice.dataset.right === 'yes');

function keep() {
  try {
    localStorage.setItem(KEY, JSON.stringify(answers));
  } catch {
    // the score then lasts as long as the page
  }
  show();
}

function show() {
  const answered = questions.filter((question) => answers[question.dataset.question]);
  const right = answered.filter(isRight).length;
  document.getElementById('score').textContent = answered.length
    ? `${right} of ${answered.length} right${answered.length < questions.length ? `, ${questions.length - answered.length} to go` : ''}.` : '';
  document.getElementById('again').hidden = !answered.length;
}

for (const question of questions) {
  for (const choice of choices(question)) {
    if (choice.open) answers[question.dataset.question] ??= choice.dataset.letter; // answered in the terminal
    if (answers[question.dataset.question] === choice.dataset.letter) choice.open = true;
    choice.addEventListener('toggle', () => {
      if (!choice.open || answers[question.dataset.question]) return;
      answers[question.dataset.question] = choice.dataset.letter;
      keep();
    });
  }
}
document.getElementById('again').addEventListener('click', () => {
  answers = {};
  for (const choice of questions.flatMap(choices)) choice.open = false;
  keep();
});
show();
