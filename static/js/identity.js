// What an identity number says while it is typed: sex, birth date and age, or what is wrong. The server decides.
"use strict";

const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECK_CHARACTERS = "10X98765432";

const readNumber = (text) => {
  const number = text.normalize("NFKC").replace(/\s/g, "").replace(/^'/, "").toUpperCase();
  if (number.length < 18) return null;
  if (!/^\d{17}[\dX]$/.test(number)) return { wrong: true };
  const [year, month, day] = [number.slice(6, 10), number.slice(10, 12), number.slice(12, 14)].map(Number);
  const born = new Date(year, month - 1, day);
  const today = new Date();
  const real = born.getFullYear() === year && born.getMonth() === month - 1 && born.getDate() === day && born <= today;
  const sum = WEIGHTS.reduce((total, weight, place) => total + weight * Number(number[place]), 0);
  if (!real || CHECK_CHARACTERS[sum % 11] !== number[17]) return { wrong: true };
  const reached = today.getMonth() + 1 > month || (today.getMonth() + 1 === month && today.getDate() >= day);
  return {
    sex: Number(number[16]) % 2 ? "male" : "female",
    born: `${number.slice(6, 10)}-${number.slice(10, 12)}-${number.slice(12, 14)}`,
    age: today.getFullYear() - year - (reached ? 0 : 1),
  };
};

for (const output of document.querySelectorAll("output[data-number-of]")) {
  const field = document.getElementById(output.dataset.numberOf);
  const refused = field.ariaInvalid === "true" ? field.value : null; // the server has said what is wrong with it
  const say = () => {
    const read = readNumber(field.value);
    output.classList.toggle("wrong", Boolean(read?.wrong));
    if (!read) output.textContent = "";
    else if (read.wrong) output.textContent = field.value === refused ? "" : output.dataset.wrong;
    else output.textContent = [output.dataset[read.sex], read.born, output.dataset.age.replace("0", read.age)].join(" · ");
  };
  field.addEventListener("input", say);
  say();
}
